// A whole round with the generated TypeScript client; ends with an error where an answer is not as documented.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

type Schemas = components["schemas"];
type Failure = Schemas["ApiError"] | Schemas["ValidationError"];
type Answer<Data, Failure> = { data?: Data; error?: Failure; response: Response };

const [address = "", unavailable = "", user_id = "", token = "", expired = ""] = process.argv.slice(2);

function check(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

function equal(found: unknown, wanted: unknown): void {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

function answered<Data>({ data, error, response }: Answer<Data, unknown>): Data {
  check(data !== undefined, `${response.status} ${JSON.stringify(error)}`);
  return data;
}

function refused(answer: Answer<unknown, Failure>, status: number, detail: string): void {
  const { error, response } = answer;
  check(error && "status_code" in error, `no error: ${response.status}`);
  equal([response.status, error.status_code, error.detail], [status, status, detail]);
}

function invalid(answer: Answer<unknown, Failure>, ...problems: [string, Schemas["Problem"]["type"]][]): void {
  const { error, response } = answer;
  check(error && "errors" in error, `no failed validation: ${response.status}`);
  equal(error.errors.map(({ field, type }) => [field, type]), problems);
}

function client(baseUrl: string, bearer?: string) {
  return createClient<paths>({ baseUrl, headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} });
}

const api = client(address, token);
const tasks = "/api/{user_id}/tasks";
const task = "/api/{user_id}/tasks/{task_id}";
const mine = { params: { path: { user_id } } };

// Create
const ids: number[] = [];
for (const title of ["one", "two", "three", "four", "five"]) {
  const answer = await api.POST(tasks, { ...mine, body: { title } });
  const created: Schemas["Task"] = answered(answer);
  equal([created.title, created.description, created.completed], [title, null, false]);
  equal(answer.response.headers.get("Location"), `/api/${encodeURIComponent(user_id)}/tasks/${created.id}`);
  ids.unshift(created.id);
}

// List, page by page
const seen: number[] = [];
let query: NonNullable<paths[typeof tasks]["get"]["parameters"]["query"]> = { limit: 2 };
for (let pages = 1; ; pages++) {
  const answer = await api.GET(tasks, { params: { path: { user_id }, query } });
  seen.push(...answered(answer).map(({ id }) => id));
  const next = /^<([^>]+)>; rel="next"$/.exec(answer.response.headers.get("Link") ?? "")?.[1];
  if (next === undefined) {
    equal(pages, 3);
    break;
  }
  const cursor = new URL(next, answer.response.url).searchParams.get("cursor");
  check(cursor, next);
  query = { limit: 2, cursor };
}
equal(seen, ids);

// Get, update, toggle, delete
const [task_id = 0] = ids;
const path = { params: { path: { user_id, task_id } } };
equal(answered(await api.GET(task, path)).title, "five");
const updated = answered(await api.PUT(task, { ...path, body: { description: "Two litres" } }));
equal([updated.title, updated.description], ["five", "Two litres"]);
equal(answered(await api.PUT(task, { ...path, body: { ...updated, description: null } })).description, null);
equal(answered(await api.PATCH("/api/{user_id}/tasks/{task_id}/complete", path)).completed, true);
const completed = await api.GET(tasks, { params: { path: { user_id }, query: { status: "completed" } } });
equal(answered(completed).map(({ id }) => id), [task_id]);
equal((await api.DELETE(task, path)).response.status, 204);

// Each error
refused(await client(address).GET(tasks, mine), 401, "Not authenticated");
refused(await client(address, expired).GET(tasks, mine), 401, "Token has expired");
refused(await client(address, `${token}x`).GET(tasks, mine), 401, "Invalid token: signature verification failed");
refused(
  await api.GET(tasks, { params: { path: { user_id: "somebody else" } } }),
  403,
  "Access denied: You can only access your own resources",
);
refused(await api.GET(task, path), 404, `Task with id ${task_id} not found`);
refused(await api.DELETE(task, path), 404, `Task with id ${task_id} not found`);
refused(await api.POST(tasks, { ...mine, body: { title: "x".repeat(2 ** 20) } }), 413, "Content Too Large");
refused(
  await api.POST(tasks, { ...mine, body: { title: "x" }, headers: { "Content-Type": "text/plain" } }),
  415,
  "Unsupported Media Type",
);
invalid(await api.POST(tasks, { ...mine, body: { title: "" } }), ["body.title", "string_too_short"]);
invalid(
  await api.GET(tasks, { params: { path: { user_id }, query: { limit: 0, cursor: "" } } }),
  ["query.limit", "greater_than_equal"],
  ["query.cursor", "string_pattern_mismatch"],
);
const down = await client(unavailable, token).POST(tasks, { ...mine, body: { title: "x" } });
refused(down, 503, "Service Unavailable");
equal(down.response.headers.get("Retry-After"), "1");

// Health
equal(answered(await client(address).GET("/health")).status, "healthy");
equal(answered(await client(address).GET("/health/db")).database, "connected");
const { error: unready } = await client(unavailable).GET("/health/db");
check(unready && "database" in unready, "not ready");
equal(unready.database, "disconnected");
equal(answered(await client(address).GET("/")).links["openapi"], "/openapi.json");
console.log("the whole round");
