// What becomes of edits: one's own second one, two people's of one task, those that are not valid.
import assert from "node:assert/strict";
import { close, LIBRARIES } from "./clients.mjs";
import { haveTheSame, NEW, newKey, User, waitUntil } from "./world.mjs";

// Clients of a user with one task.
async function start(library, count = 1) {
  const [user, clients, key] = [new User(), [], newKey()];
  while (clients.length < count) clients.push(await LIBRARIES[library](user));
  await clients[0].put(key, NEW);
  await syncUntilEqual(user, clients, (tasks) => tasks.length === 1);
  return { user, clients, client: clients[0], key };
}

// Until all clients have what the server has, and that is as expected.
async function syncUntilEqual(user, clients, isExpected = () => true) {
  await waitUntil(async () => {
    for (const client of clients) await client.sync();
    return isExpected(await user.list()) && haveTheSame(user, ...clients);
  });
  return user.list();
}

// Once, when a client is about to push.
function beforeItsPush({ api: { link } }, work) {
  link.beforeSending = async ({ method }) => {
    if (method !== "POST") return;
    link.beforeSending = async () => {};
    await work();
  };
}

const refusals = (clients) => clients.flatMap(({ api }) => api.refusals);

export async function ownSecondEdit(library) {
  const { user, client, key } = await start(library);
  // Nothing arrives by a pull any more, but for libraries that always pull before they push.
  client.api.link.shouldFail = ({ method }) => method !== "POST" && !["watermelondb", "signaldb"].includes(library);
  for (const title of ["b", "c", "d"]) {
    let isLost = false;
    client.api.link.shouldLose = ({ method }) => method === "POST" && title === "c" && !isLost && (isLost = true);
    await client.put(key, { title });
    client.sync().catch(() => {});
    await waitUntil(async () => (await user.list())[0].title === title);
  }
  client.api.link.shouldFail = () => false;
  await syncUntilEqual(user, [client], ([task]) => task.title === "d");
  assert.deepEqual(refusals([client]), []);
  await client.close();
}

export async function differentFields(library) {
  const { user, clients, key } = await start(library, 2);
  for (const { api } of clients) api.link.down();
  await clients[0].put(key, { title: "b", tags: ["home", "garden"] });
  await clients[1].put(key, { completed: true, priority: 3 });
  for (const { api } of clients) api.link.up();
  const tasks = await syncUntilEqual(user, clients, ([task]) => task.title === "b" && task.priority);
  assert.deepEqual(tasks, [{ ...NEW, key, title: "b", completed: true, priority: 3, tags: ["home", "garden"] }]);
  assert.deepEqual(refusals(clients), []);
  assert.deepEqual(clients.flatMap(({ conflicts }) => conflicts ?? []), []);
  await close(clients);
}

// While an edit is on its way, another field is edited elsewhere and the same one here, or is undone.
export async function editDuringAPush(library, title) {
  const { user, client, key } = await start(library);
  beforeItsPush(client, async () => {
    await user.batch([{ op: "put", key, data: { completed: true } }]);
    await client.put(key, { title });
  });
  await client.put(key, { title: "b" });
  await syncUntilEqual(user, [client], ([task]) => task.title === title && task.completed);
  assert.deepEqual(refusals([client]), []);
  assert.deepEqual(client.conflicts ?? [], []);
  await client.close();
}

// A request that failed for the client reaches the server later: just before the next one, or after that failed too.
export async function requestThatIsDoneLate(library, isJustBefore) {
  const [user, key, sent] = [new User(), newKey(), []];
  const client = await LIBRARIES[library](user);
  client.api.link.beforeSending = async ({ method, body }) => {
    if (method !== "POST") return;
    sent.push(JSON.parse(body).operations);
    if (!isJustBefore || sent.length === 1) throw new TypeError("the link failed");
    if (sent.length === 2) await user.batch(sent[0]);
  };
  for (const title of ["a", "b"]) {
    const count = sent.length;
    await client.put(key, { ...NEW, title });
    client.sync().catch(() => {});
    await waitUntil(() => sent.length > count);
  }
  if (!isJustBefore) await user.batch(sent[0]);
  await client.put(key, { title: "c" });
  client.api.link.beforeSending = async () => {};
  await syncUntilEqual(user, [client], ([task]) => task.title === "c");
  assert.deepEqual(refusals([client]), []);
  assert.deepEqual(client.conflicts ?? [], []);
  await client.close();
}

// An edit is undone after its request failed for the client; then the request reaches the server.
export async function undoOfWhatIsDoneLate(library) {
  const { user, client, key } = await start(library);
  const { link } = client.api;
  link.shouldBeLate = () => true;
  await client.put(key, { completed: true });
  client.sync().catch(() => {});
  await waitUntil(() => link.late.length);
  link.shouldBeLate = () => false;
  await client.put(key, { completed: false });
  await syncUntilEqual(user, [client], ([task]) => !link.late.length && !task.completed);
  assert.deepEqual(refusals([client]), []);
  assert.deepEqual(client.conflicts ?? [], []);
  await client.close();
}

export async function editOfADeletedTask(library) {
  const { user, client, key } = await start(library);
  client.api.link.down();
  await client.put(key, { title: "b" });
  await user.batch([{ op: "delete", key }]);
  client.api.link.up();
  await syncUntilEqual(user, [client]);
  assert.deepEqual(refusals([client]).map(({ status }) => status), [410]);
  await client.close();
}

// Each client's first token has expired already.
export async function expiredToken(library) {
  const { clients } = await start(library, 2);
  for (const { api } of clients) assert(api.link.tokens > 1 && api.link.tokens < 5); // once for each that was under way
  await close(clients);
}

// Gives how often it was reported, and which title stays.
export async function sameField(library) {
  const { user, clients, key } = await start(library, 2);
  for (const { api } of clients) api.link.down();
  await clients[0].put(key, { title: "first" });
  await clients[1].put(key, { title: "second", completed: true });
  clients[0].api.link.up();
  await syncUntilEqual(user, clients.slice(0, 1), ([task]) => task.title === "first");
  clients[1].api.link.up();
  const [task] = await syncUntilEqual(user, clients, (tasks) => tasks[0].completed);
  const reports = [...refusals(clients), ...clients.flatMap(({ conflicts }) => conflicts ?? [])];
  await close(clients);
  return { stays: task.title, reports: reports.length };
}

export async function oneInvalid(library) {
  const user = new User();
  const client = await LIBRARIES[library](user);
  const keys = Array.from({ length: 50 }, newKey);
  client.api.link.down();
  for (const [index, key] of keys.entries()) {
    await client.put(key, { ...NEW, title: index === 20 ? "x".repeat(201) : `title ${index}` });
  }
  client.api.link.up();
  await syncUntilEqual(user, [client], (tasks) => tasks.length === 49);
  assert.deepEqual(refusals([client]).map(({ status, operation }) => [status, operation.key]), [[422, keys[20]]]);
  await client.put(keys[0], { title: "larger than a request may be".repeat(50_000) });
  await syncUntilEqual(user, [client]);
  assert.equal(refusals([client]).length, 2);
  const { requests } = client.api.link;
  await client.sync();
  assert(client.api.link.requests - requests <= 2); // nothing is left to be sent
  await client.close();
}

export async function foreignWriteBetweenPullAndPush(library) {
  const user = new User();
  const client = await LIBRARIES[library](user);
  const keys = [newKey(), newKey(), newKey()];
  for (const key of keys) await client.put(key, NEW);
  await client.sync();
  for (const key of keys) await client.put(key, { title: "mine" });
  const edits = [
    { op: "put", key: keys[0], data: { title: "theirs", description: "theirs" } },
    { op: "put", key: keys[1], data: { completed: true } },
  ];
  beforeItsPush(client, () => user.batch(edits));
  await client.sync();
  const titles = async () => Object.fromEntries((await user.list()).map(({ key, title }) => [key, title]));
  assert.deepEqual(await titles(), { [keys[0]]: "theirs", [keys[1]]: "mine", [keys[2]]: "mine" });
  await client.sync();
  const tasks = await syncUntilEqual(user, [client]);
  const find = (wanted) => tasks.find(({ key }) => key === wanted);
  assert.deepEqual(find(keys[0]), { ...NEW, key: keys[0], title: "mine", description: "theirs" });
  assert.deepEqual(find(keys[1]), { ...NEW, key: keys[1], title: "mine", completed: true });
  assert.equal(client.conflicts.length, 1);
  assert.deepEqual(refusals([client]), []);
  await client.close();
}
