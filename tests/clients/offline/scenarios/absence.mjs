// First syncs, and clients that were away for longer than tombstones are kept.
import assert from "node:assert/strict";
import { LIBRARIES } from "./clients.mjs";
import { haveTheSame, NEW, newKey, purge, User, waitUntil } from "./world.mjs";

export async function firstSync(library, limits) {
  const user = new User();
  const empty = await LIBRARIES[library](user);
  await empty.sync();
  assert.deepEqual(await empty.list(), []);
  const keys = Array.from({ length: 251 }, newKey);
  for (let start = 0; start < 251; start += 100) {
    await user.batch(keys.slice(start, start + 100).map((key) => ({ op: "put", key, data: { title: key } })));
  }
  await user.batch([{ op: "delete", key: keys[100] }]);
  await purge();
  for (const limit of limits) {
    const client = await LIBRARIES[library](user, { limit });
    await client.sync();
    await waitUntil(() => haveTheSame(user, client));
    assert.equal((await client.list()).length, 250);
    assert(client.api.link.requests >= 250 / limit);
    await client.close();
  }
  await empty.sync();
  await waitUntil(() => haveTheSame(user, empty));
  await empty.close();
}

export async function awayPastAPurge(library) {
  const user = new User();
  const client = await LIBRARIES[library](user);
  const [kept, edited, deleted, editedAndDeleted, removed, made] = Array.from({ length: 6 }, newKey);
  for (const key of [edited, deleted, editedAndDeleted, removed]) await client.put(key, NEW);
  await user.batch([{ op: "put", key: kept, data: NEW }]); // who has it has pulled, and so has a checkpoint
  await waitUntil(async () => {
    await client.sync();
    return (await user.list()).length === 5 && haveTheSame(user, client);
  });
  client.api.link.down();
  await client.put(edited, { title: "mine" });
  await client.put(editedAndDeleted, { title: "mine" });
  await client.put(made, { ...NEW, title: "new" });
  await client.remove(removed);
  await user.batch([
    { op: "delete", key: deleted },
    { op: "delete", key: editedAndDeleted },
    { op: "put", key: edited, data: { completed: true } },
  ]);
  await purge();
  client.api.link.up();
  let isGone = false; // the checkpoint
  client.api.link.afterAnswer = (response) => (isGone ||= response.status === 410);
  await waitUntil(async () => {
    await client.sync();
    return (await user.list()).some(({ key }) => key === made) && haveTheSame(user, client);
  });
  const tasks = Object.fromEntries((await user.list()).map(({ key, ...task }) => [key, task]));
  const expected = { [kept]: NEW, [edited]: { ...NEW, title: "mine", completed: true }, [made]: { ...NEW, title: "new" } };
  const { [editedAndDeleted]: comeBack, ...others } = tasks;
  assert.deepEqual(others, expected);
  assert(isGone);
  assert.deepEqual(client.api.refusals, []);
  await client.close();
  return comeBack?.title ?? null;
}
