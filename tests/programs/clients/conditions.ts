// Keys and conditions with the generated TypeScript client; ends with an error where an answer is not as documented.
import { answered, api, check, equal, listPath, mine, refused, task, tasks, user_id } from "./support.js";

// Create with a key: sent again, it is the same task
const key = crypto.randomUUID();
const first = await api.POST(tasks, { ...mine, body: { key, title: "Buy milk" } });
const milk = answered(first);
equal([first.response.status, milk.key], [201, key]);
const again = await api.POST(tasks, { ...mine, body: { key, title: "Buy tea" } });
equal([again.response.status, answered(again)], [200, milk]);
equal(again.response.headers.get("Location"), `${listPath}/${milk.id}`);

// Write only what nobody else has changed, and read only what is new
const path = { user_id, task_id: milk.id };
const etag = first.response.headers.get("ETag") ?? "";
equal(etag, `"${milk.revision}"`);
const unchanged = await api.GET(task, { params: { path, header: { "If-None-Match": etag } } });
equal([unchanged.response.status, unchanged.data ?? null], [304, null]);
const stale = { params: { path, header: { "If-Match": etag } } };
const edited = answered(await api.PUT(task, { ...stale, body: { description: "Two litres" } }));
check(edited.revision > milk.revision, "the revision does not grow");
equal(answered(await api.GET(task, { params: { path, header: { "If-None-Match": etag } } })), edited);
equal(answered(await api.PUT(task, { ...stale, body: { description: "Two litres" } })), edited);
for (const answer of [
  await api.PUT(task, { ...stale, body: { description: "One litre" } }),
  await api.PATCH("/api/{user_id}/tasks/{task_id}/complete", stale),
  await api.DELETE(task, stale),
]) {
  refused(answer, 412, `Task with id ${milk.id} has changed`);
  check(answer.error && "task" in answer.error, "without the task");
  equal(answer.error.task, edited);
}

// A key stays taken when its task is deleted
const matching = { params: { path, header: { "If-Match": `"${edited.revision}"` } } };
equal((await api.DELETE(task, matching)).response.status, 204);
const dead = await api.POST(tasks, { ...mine, body: { key, title: "Buy milk" } });
refused(dead, 410, `Task with key ${key} is deleted`);
check(dead.error && "task" in dead.error, "without the tombstone");
equal([dead.error.task.key, dead.error.task.deleted], [key, true]);
console.log("the whole round");
