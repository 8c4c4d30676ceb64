// Changes arrive by themselves, and cost nothing while there are none.
import assert from "node:assert/strict";
import { close, LIBRARIES } from "./clients.mjs";
import { NEW, newKey, pause, User, waitUntil } from "./world.mjs";

const { ADDRESS } = process.env;
const has = async (client, key, title) => (await client.list()).some((task) => task.key === key && task.title === title);

async function liveClients(library, keys, addresses = [ADDRESS, ADDRESS]) {
  const user = new User();
  const clients = [];
  for (const address of addresses) clients.push(await LIBRARIES[library](user, { address }));
  for (const client of clients) client.watch();
  for (const key of keys) await clients[0].put(key, NEW);
  await waitUntil(async () => (await clients[1].list()).length === keys.length);
  return clients;
}

// Gives for each edit the seconds from its answer until a client at the other address shows it. The server asks its
// database once a second; the edits come at any time of that, each in a task of its own: the next one need not wait
// until the last one is shown.
export async function edits(library, addresses) {
  const keys = Array.from({ length: 20 }, newKey);
  const [writer, reader] = await liveClients(library, keys, addresses);
  const titleOf = (key) => `edit of ${key}`;
  const [written, shown] = [{}, {}];
  const note = (times, key, isSo) => isSo && (times[key] ??= performance.now());
  writer.api.link.afterAnswer = (_, { body }) => keys.forEach((key) => note(written, key, body?.includes(titleOf(key))));
  const areShown = waitUntil(async () => {
    for (const { key, title } of await reader.list()) note(shown, key, title === titleOf(key));
    return Object.keys(shown).length === keys.length;
  }, 20);
  for (const key of keys) {
    await pause(0.3 * Math.random());
    await writer.put(key, { title: titleOf(key) });
    await waitUntil(() => written[key]);
  }
  await areShown;
  await close([writer, reader]);
  return keys.map((key) => (shown[key] - written[key]) / 1000);
}

// Gives how many requests a client sent in 30 idle seconds.
export async function idleness(library) {
  const clients = await liveClients(library, [newKey()]);
  await pause(2);
  const before = clients.map(({ api }) => api.link.requests);
  await pause(30);
  const requests = clients.map(({ api }, index) => api.link.requests - before[index]);
  await close(clients);
  return Math.max(...requests);
}

// Nothing fails but the first request with the edit, and nothing else is edited.
export async function failedPush(library) {
  const key = newKey();
  const [writer, reader] = await liveClients(library, [key]);
  await pause(1.5); // until nothing is under way
  let pushes = 0;
  writer.api.link.shouldFail = ({ method }) => method === "POST" && (pushes += 1) === 1;
  await writer.put(key, { title: "b" });
  await waitUntil(() => has(reader, key, "b"));
  assert(pushes > 1);
  await close([writer, reader]);
}

const key = newKey();
const kept = {};

export async function beforeARestart(library) {
  kept[library] = await liveClients(library, [key]);
}

export async function duringARestart(library) {
  await kept[library][0].put(key, { title: "during" });
}

export async function afterARestart(library) {
  const [one, other] = kept[library];
  await waitUntil(() => has(other, key, "during"));
  await other.put(key, { title: "after" });
  await waitUntil(() => has(one, key, "after"));
  await close([one, other]);
}
