import { authClient } from "./auth-client.mjs";

const API = process.env.NEXT_PUBLIC_TODO_API ?? "http://localhost:8000";
let token; // lasts 15 minutes; forget it when the user signs out

export async function todoApi(path, { headers, ...options } = {}) {
  const send = () => fetch(API + path, { ...options, headers: { ...headers, Authorization: `Bearer ${token}` } });
  let response = token && (await send());
  if (!response || response.status === 401) {
    token = (await authClient.token()).data?.token;
    response = await send();
  }
  return response;
}
