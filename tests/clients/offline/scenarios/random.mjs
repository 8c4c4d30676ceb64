// Two clients edit the same tasks at random, over links that fail before a request is sent and after it was answered.
import assert from "node:assert/strict";
import { LIBRARIES } from "./clients.mjs";
import { newKey, pause, randomOf, User, waitUntil } from "./world.mjs";

function failAtRandom({ link }, random) {
  link.shouldFail = () => random() < 0.15;
  link.shouldLose = () => random() < 0.15;
}

async function editAtRandom(client, keys, random) {
  const [choice, key] = [random(), keys[Math.floor(random() * keys.length)]];
  const number = Math.floor(random() * 1000);
  if (choice < 0.3) {
    keys.push(newKey());
    return client.put(keys.at(-1), { title: `title ${number}`, description: null, completed: false });
  }
  if (!key || !(await client.list()).some((task) => task.key === key)) return null;
  if (choice < 0.55) return client.put(key, { title: `title ${number}` });
  if (choice < 0.7) return client.put(key, { description: choice < 0.6 ? null : `description ${number}` });
  if (choice < 0.9) return client.put(key, { completed: number % 2 === 0 });
  return client.remove(key);
}

function heal({ link }) {
  link.shouldFail = link.shouldLose = () => false;
  link.up();
}

// Gives how many tasks there are in the end, how many requests failed, and how many edits were refused.
export async function edit(library, seed, operations) {
  const user = new User();
  const clients = [await LIBRARIES[library](user), await LIBRARIES[library](user)];
  const random = randomOf(seed);
  const keys = Array.from({ length: 20 }, newKey);
  for (const key of keys) await clients[0].put(key, { title: "first", description: null, completed: false });
  for (const client of clients) await client.sync();
  for (const { api } of clients) failAtRandom(api, random);

  const [syncs, failures] = [[], []];
  for (let count = 0; count < operations * clients.length; count += 1) {
    const client = clients[count % clients.length];
    await editAtRandom(client, keys, random);
    if (random() < 0.05) client.api.link.isUp ? client.api.link.down() : client.api.link.up();
    if (random() < 0.15) syncs.push(client.sync().catch((error) => failures.push(error)));
    await pause(0.002);
  }
  for (const { api } of clients) heal(api);
  await Promise.all(syncs);

  await waitUntil(async () => {
    for (const client of clients) await client.sync();
    const lists = await Promise.all([user, ...clients].map((client) => client.list()));
    return new Set(lists.map((list) => JSON.stringify(list))).size === 1;
  });
  const tasks = await user.list();
  assert.equal(new Set(tasks.map(({ key }) => key)).size, tasks.length);
  failures.push(...clients.flatMap(({ errors }) => errors ?? []));
  for (const { message } of failures) assert.match(message, /the link failed|the answer was lost|aborted/);
  for (const client of clients) await client.close();
  const refusals = clients.reduce((sum, { api }) => sum + api.refusals.length, 0);
  return { tasks: tasks.length, failures: failures.length, refusals };
}
