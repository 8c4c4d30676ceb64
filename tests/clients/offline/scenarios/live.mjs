// Changes arrive by themselves, and cost nothing while there are none.
import assert from "node:assert/strict";
import { LIBRARIES } from "./clients.mjs";
import { NEW, newKey, pause, User, waitUntil } from "./world.mjs";

const has = async (client, key, title) => (await client.list()).some((task) => task.key === key && task.title === title);

async function liveClients(library, key) {
  const user = new User();
  const clients = [await LIBRARIES[library](user), await LIBRARIES[library](user)];
  for (const client of clients) client.watch();
  await clients[0].put(key, NEW);
  await waitUntil(() => has(clients[1], key, "a"));
  return clients;
}

// Gives the seconds that the slowest edit took, and how many requests a client sent in 30 idle seconds.
export async function editsAndIdleness(library) {
  const key = newKey();
  const clients = await liveClients(library, key);
  const seconds = [];
  for (let number = 0; number < 20; number += 1) {
    await pause(Math.random() / 5);
    const start = performance.now();
    await clients[number % 2].put(key, { title: `edit ${number}` });
    await waitUntil(() => has(clients[1 - (number % 2)], key, `edit ${number}`));
    seconds.push((performance.now() - start) / 1000);
  }
  await pause(2);
  const before = clients.map(({ api }) => api.link.requests);
  await pause(30);
  const requests = clients.map(({ api }, index) => api.link.requests - before[index]);
  for (const client of clients) await client.close();
  return { seconds: Math.max(...seconds), requests: Math.max(...requests) };
}

const key = newKey();
const kept = {};

export async function beforeARestart(library) {
  kept[library] = await liveClients(library, key);
}

export async function afterARestart(library) {
  const [one, other] = kept[library];
  await one.put(key, { title: "after" });
  await waitUntil(() => has(other, key, "after"));
  for (const client of [one, other]) await client.close();
}
