// Better Auth on loopback, as the README sets it up, and routes to rotate its keys. BETTER_AUTH_URL and
// BETTER_AUTH_SECRET are its settings; it prints `ready` when it listens.
import { createServer } from "node:http";
import { toNodeHandler } from "better-auth/node";
import { createJwk } from "better-auth/plugins";
import { auth } from "./auth.mjs";
import { tables } from "./database.mjs";
import { todoToken } from "./shared-secret.mjs";

const routes = {
  "GET /todo-token": async (request) => todoToken(new Request(process.env.BETTER_AUTH_URL, { headers: request.headers })),
  "POST /rotate": async () => Response.json({ kid: (await createJwk({ context: await auth.$context }, {})).id }),
  "POST /forget-keys": async () => {
    tables.jwks.length = 0;
    return Response.json({});
  },
};

const betterAuth = toNodeHandler(auth);
const server = createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  if (!route) return betterAuth(request, response);
  const answer = await route(request);
  response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
});
server.listen(new URL(process.env.BETTER_AUTH_URL).port, "127.0.0.1", () => console.log("ready"));
