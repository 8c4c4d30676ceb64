// What was edited offline outlives the app, and a lost answer.
import assert from "node:assert/strict";
import { LIBRARIES } from "./clients.mjs";
import { NEW, newKey, pause, User, view, waitUntil } from "./world.mjs";

export async function restartedWithUnsentEdits(library) {
  const user = new User();
  const storage = new Map();
  const first = await LIBRARIES[library](user, { storage });
  const [edited, deleted, ...made] = Array.from({ length: 5 }, newKey);
  await first.put(edited, NEW);
  await first.put(deleted, NEW);
  await first.sync();
  await waitUntil(async () => (await first.list()).length === 2);
  first.api.link.down();
  for (const key of made) await first.put(key, { ...NEW, title: "new" });
  await first.put(made[0], { completed: true });
  await first.put(edited, { title: "b" });
  await first.put(edited, { title: "c" });
  await first.remove(deleted);
  const wanted = view([
    { ...NEW, key: edited, title: "c" },
    ...made.map((key) => ({ ...NEW, key, title: "new", completed: key === made[0] })),
  ]);
  await waitUntil(async () => JSON.stringify(await first.list()) === JSON.stringify(wanted));
  await waitUntil(async () => (await first.unsent()) > 0);
  await pause(0.8); // LokiJS stores twice a second
  await first.close();

  const second = await LIBRARIES[library](user, { storage: new Map(storage), isOffline: true });
  await waitUntil(async () => (await second.list()).filter(({ key }) => made.includes(key)).length === 3);
  const answers = new Set();
  second.api.link.shouldLose = ({ method, body }) => method === "POST" && !answers.has(body) && answers.add(body);
  second.api.link.up();
  await waitUntil(async () => {
    await second.sync().catch(() => {});
    return !(await second.unsent()) && JSON.stringify(await second.list()) === JSON.stringify(wanted);
  });
  assert.deepEqual(await user.list(), wanted);
  assert.deepEqual(second.api.refusals, []);
  assert(answers.size > 0);
  await second.close();
}
