// A whole round with the generated TypeScript client; ends with an error where an answer is not as documented.
import {
  address,
  answered,
  api,
  check,
  client,
  equal,
  expired,
  invalid,
  listPath,
  mine,
  pages,
  refused,
  task,
  tasks,
  token,
  unavailable,
  user_id,
  type Schemas,
} from "./support.js";

// Create
const ids: number[] = [];
for (const title of ["one", "two", "three", "four", "five"]) {
  const answer = await api.POST(tasks, { ...mine, body: { title } });
  const created: Schemas["Task"] = answered(answer);
  equal([created.title, created.description, created.completed], [title, null, false]);
  equal(answer.response.headers.get("Location"), `${listPath}/${created.id}`);
  ids.unshift(created.id);
}

// List, page by page
equal(
  (await pages({ limit: 2 })).map((page) => page.map(({ id }) => id)),
  [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)],
);

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
