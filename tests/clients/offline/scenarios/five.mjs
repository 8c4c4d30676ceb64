// All five libraries on one account, beside a client of version 1.0.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import { close, LIBRARIES } from "./clients.mjs";
import { haveTheSame, NEW, newKey, User, waitUntil } from "./world.mjs";

export async function allOnOneAccount() {
  const user = new User();
  const clients = {};
  for (const [name, connect] of Object.entries(LIBRARIES)) clients[name] = await connect(user);
  for (const client of Object.values(clients)) client.watch();
  const keys = {};
  for (const [name, client] of Object.entries(clients)) {
    keys[name] = [newKey(), newKey(), newKey()];
    for (const key of keys[name]) await client.put(key, { ...NEW, title: `of ${name}` });
  }
  const old = createClient({ baseUrl: new URL(user.tasks).origin, headers: { Authorization: `Bearer ${user.token}` } });
  const path = { user_id: user.id };
  const allHave = async (count) => (await user.list()).length === count && haveTheSame(user, ...Object.values(clients));
  await waitUntil(() => allHave(15));

  const { data: tasks } = await old.GET("/api/{user_id}/tasks", { params: { path } });
  const idOf = (key) => tasks.find((task) => task.key === key).id;
  for (const [toggled, deleted] of Object.values(keys)) {
    const toggle = { ...path, task_id: idOf(toggled) };
    assert((await old.PATCH("/api/{user_id}/tasks/{task_id}/complete", { params: { path: toggle } })).response.ok);
    const gone = { ...path, task_id: idOf(deleted) };
    assert((await old.DELETE("/api/{user_id}/tasks/{task_id}", { params: { path: gone } })).response.ok);
  }
  // Each library edits the task of the next one, of which the old client changes another field meanwhile.
  const names = Object.keys(clients);
  for (const [index, name] of names.entries()) {
    await clients[name].put(keys[names[(index + 1) % names.length]][0], { description: `by ${name}` });
  }
  await waitUntil(() => allHave(10));
  const result = await user.list();
  const mixed = result.filter((task) => task.completed && task.description?.startsWith("by "));
  assert.equal(mixed.length, 5);
  assert.deepEqual(Object.values(clients).flatMap(({ api }) => api.refusals), []);
  await close(Object.values(clients));
}
