// Clients edit the same tasks at random, over links that fail: before a request is sent, after it was answered, and
// although it is done later.
import assert from "node:assert/strict";
import { close, LIBRARIES } from "./clients.mjs";
import { haveTheSame, NEW, newKey, pause, randomOf, User, view, waitUntil } from "./world.mjs";

function failAtRandom({ link }, random) {
  link.shouldFail = () => random() < 0.15;
  link.shouldLose = () => random() < 0.15;
  link.shouldBeLate = () => random() < 0.15;
}

function heal({ link }) {
  link.shouldFail = link.shouldLose = link.shouldBeLate = () => false;
  link.up();
}

// `tasks` is what there would be if this client were alone.
async function editAtRandom(client, tasks, random) {
  const [choice, number] = [random(), Math.floor(random() * 1000)];
  const keys = (await client.list()).map(({ key }) => key);
  const key = choice < 0.3 ? newKey() : keys[Math.floor(random() * keys.length)];
  assert(key, "no task is shown");
  if (choice >= 0.9) {
    tasks.delete(key);
    return client.remove(key);
  }
  let fields = { ...NEW, title: `title ${number}` };
  if (choice >= 0.3) fields = { title: fields.title };
  if (choice >= 0.55) fields = { description: choice < 0.6 ? null : `description ${number}` };
  if (choice >= 0.7) fields = { completed: number % 2 === 0 };
  if (choice >= 0.8) fields = { tags: [`tag ${number}`, "home"], due: number % 2 ? "2026-12-01" : null };
  tasks.set(key, { ...tasks.get(key), key, ...fields });
  return client.put(key, fields);
}

// Gives how many requests failed. With one client nothing may be lost.
export async function edit(library, seed, operations, count) {
  const user = new User();
  const clients = [];
  while (clients.length < count) clients.push(await LIBRARIES[library](user));
  const [random, tasks] = [randomOf(seed), new Map()];
  for (let number = 0; number < 20; number += 1) {
    const [key, task] = [newKey(), { ...NEW, title: "first" }];
    tasks.set(key, { key, ...task });
    await clients[0].put(key, task);
  }
  for (const client of clients) await client.sync();
  for (const { api } of clients) failAtRandom(api, random);

  const [syncs, failures] = [[], []];
  for (let done = 0; done < operations * count; done += 1) {
    const client = clients[done % count];
    await editAtRandom(client, tasks, random);
    if (random() < 0.05) client.api.link.isUp ? client.api.link.down() : client.api.link.up();
    if (random() < 0.15) syncs.push(client.sync().catch((error) => failures.push(error)));
    await pause(0.002);
  }
  for (const { api } of clients) heal(api);
  await Promise.all(syncs);

  await waitUntil(async () => {
    for (const client of clients) await client.sync();
    return haveTheSame(user, ...clients);
  }, 60); // there may be hundreds of edits to send
  const list = await user.list();
  assert.equal(new Set(list.map(({ key }) => key)).size, list.length);
  if (count === 1) {
    assert.deepEqual(clients[0].api.refusals, []);
    assert.deepEqual(clients[0].conflicts ?? [], []);
    assert.deepEqual(list, view([...tasks.values()]));
  }
  failures.push(...clients.flatMap(({ errors }) => errors ?? []));
  for (const { message } of failures) assert.match(message, /the link failed|the answer was lost|aborted/);
  await close(clients);
  return failures.length;
}
