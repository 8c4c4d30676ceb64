// What a page does, with a browser's cookies and Origin. Reads a line of JSON for each step, [function, ...arguments],
// and prints a line of JSON with its result.
import { createInterface } from "node:readline";

const cookies = new Map();
const fetchAlone = globalThis.fetch;
globalThis.fetch = async (input, init = {}) => {
  const request = new Request(input, init);
  if (request.url.startsWith(process.env.BETTER_AUTH_URL)) {
    request.headers.set("origin", process.env.BETTER_AUTH_URL);
    request.headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
  }
  const response = await fetchAlone(request);
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    cookies.set(name, value);
  }
  return response;
};

const { authClient } = await import("./auth-client.mjs");
const { todoApi } = await import("./todo-api.mjs");

const steps = {
  signUp: async (user) => (await authClient.signUp.email(user)).data.user,
  signIn: async ({ email, password }) => (await authClient.signIn.email({ email, password })).data.user,
  token: async () => (await authClient.token()).data.token,
  sharedSecretToken: async () => (await (await fetch(`${process.env.BETTER_AUTH_URL}/todo-token`)).json()).token,
  todoApi: async (path, options) => {
    const response = await todoApi(path, options);
    return { status: response.status, body: await response.json() };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [step, ...given] = JSON.parse(line);
  console.log(JSON.stringify(await steps[step](...given)));
}
