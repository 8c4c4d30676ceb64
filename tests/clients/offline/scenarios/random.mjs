// Two clients edit the same tasks at random, over links that fail before a request is sent and after it was answered.
import assert from "node:assert/strict";
import { rxdb, watermelondb } from "./clients.mjs";
import { newKey, pause, randomOf, User } from "./world.mjs";

function failAtRandom(link, random) {
  link.shouldFail = () => random() < 0.15;
  link.shouldLose = () => random() < 0.15;
}

function heal(link) {
  link.shouldFail = link.shouldLose = () => false;
  link.up();
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

// `turn` is called after each edit, and may sync.
async function run(clients, seed, operations, turn) {
  const random = randomOf(seed);
  const keys = Array.from({ length: 20 }, newKey);
  for (const key of keys) await clients[0].put(key, { title: "first", description: null, completed: false });
  for (const client of clients) await client.sync();
  for (const { api } of clients) failAtRandom(api.link, random);
  for (let count = 0; count < operations * clients.length; count += 1) {
    const client = clients[count % clients.length];
    await editAtRandom(client, keys, random);
    if (random() < 0.05) client.api.link.isUp ? client.api.link.down() : client.api.link.up();
    await turn(client, random);
  }
  for (const { api } of clients) heal(api.link);
}

async function assertEqual(user, clients) {
  const tasks = await user.list();
  for (const client of clients) assert.deepEqual(await client.list(), tasks);
  assert.equal(new Set(tasks.map(({ key }) => key)).size, tasks.length);
  return tasks.length;
}

export async function twoRxdb(address, seed, operations) {
  const user = new User(address);
  const clients = [await rxdb(user), await rxdb(user)];
  await run(clients, seed, operations, async (client, random) => {
    if (random() < 0.1) client.resync();
    await pause(0.002);
  });
  for (let round = 0; round < 3; round += 1) for (const client of clients) await client.sync();
  const count = await assertEqual(user, clients);
  const errors = clients.flatMap(({ errors }) => errors).flatMap(({ parameters }) => parameters.errors);
  for (const { message } of errors) assert.match(message, /the link failed|the answer was lost|aborted/);
  for (const client of clients) await client.close();
  return { tasks: count, failures: errors.length, refusals: clients.map(({ api }) => api.refusals.length) };
}

export async function twoWatermelondb(address, seed, operations) {
  const user = new User(address);
  const clients = [await watermelondb(user), await watermelondb(user)];
  const syncing = [];
  let failures = 0;
  await run(clients, seed, operations, async (client, random) => {
    if (random() < 0.2) syncing.push(client.sync().catch(() => (failures += 1)));
    if (random() < 0.1) await pause(0.005);
  });
  await Promise.all(syncing);
  for (let round = 0; round < 3; round += 1) for (const client of clients) await client.sync();
  const count = await assertEqual(user, clients);
  return { tasks: count, failures, refusals: clients.map(({ api }) => api.refusals.length) };
}
