import { signJWT } from "better-auth/crypto";
import { auth } from "./auth.mjs";

export async function todoToken(request) {
  const session = await auth.api.getSession({ headers: request.headers });
  if (!session) return new Response(null, { status: 401 });
  const token = await signJWT({ sub: session.user.id }, process.env.BETTER_AUTH_SECRET, 900);
  return Response.json({ token });
}
