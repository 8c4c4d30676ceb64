// Answers that overtake each other, with the libraries that push while a pull is under way.
import assert from "node:assert/strict";
import { LIBRARIES } from "./clients.mjs";
import { haveTheSame, NEW, newKey, pause, User, waitUntil } from "./world.mjs";

const isPush = ({ method }) => method === "POST";
const isPull = (url) => url.includes("/changes") && !url.includes("wait=");

// A promise, and the function that fulfils it.
function moment() {
  let come;
  return [new Promise((resolve) => (come = resolve)), come];
}

// A client with one task, which the server has as well.
async function start(library) {
  const [user, key] = [new User(), newKey()];
  const client = await LIBRARIES[library](user);
  client.watch();
  await client.put(key, NEW);
  await waitUntil(async () => (await user.list()).length === 1 && haveTheSame(user, client));
  await client.sync();
  return { user, client, link: client.api.link, key };
}

// The next pull is answered at once, and the client gets that when `arrive` is called; pulls after it fail.
function delayAPull(link) {
  const [[isRead, read], [isDue, arrive]] = [moment(), moment()];
  link.afterAnswer = async ({ url, status }) => {
    if (!isPull(url) || status !== 200) return;
    link.shouldFail = (options) => !isPush(options);
    read();
    await isDue;
  };
  link.shouldFail = () => false;
  return { isRead, arrive };
}

// Nothing was refused, and the client has what the server has.
async function end(user, client) {
  client.api.link.shouldFail = () => false;
  await waitUntil(() => haveTheSame(user, client));
  assert.deepEqual(client.api.refusals, []);
  await client.close();
}

// A delete is repeated, since its answer was lost. A pull from before it arrives before the second answer, or after.
export async function repeatedDelete(library, isLate) {
  const { user, client, link, key } = await start(library);
  link.shouldFail = (options) => !isPush(options);
  await client.put(key, { title: "b" });
  await waitUntil(async () => (await user.list())[0].title === "b");
  const { isRead, arrive } = delayAPull(link);
  await isRead;
  let pushes = 0;
  link.shouldLose = (options) => isPush(options) && (pushes += 1) === 1;
  link.beforeSending = async (options) => {
    if (isLate || !isPush(options) || !pushes) return;
    arrive();
    await pause(0.1); // until the client took it
  };
  await client.remove(key);
  await waitUntil(() => pushes === 2);
  await pause(0.1);
  arrive();
  await pause(0.1);
  assert.deepEqual(await client.list(), []);
  await end(user, client);
}

// The first pull is answered before a new task is sent, and arrives afterwards.
export async function firstPull(library) {
  const [user, key] = [new User(), newKey()];
  const client = await LIBRARIES[library](user, { isOffline: true });
  const { link } = client.api;
  await client.put(key, NEW);
  const { isRead, arrive } = delayAPull(link);
  link.beforeSending = async (options) => isPush(options) && isRead;
  link.up();
  client.watch();
  await waitUntil(async () => (await user.list()).length === 1);
  await pause(0.1);
  arrive();
  await pause(0.1);
  assert.equal((await client.list()).length, 1);
  await end(user, client);
}

// An edit is followed by another device's, of which a pull arrives before the first edit's answer, or right after it.
export async function foreignEdit(library, isLate) {
  const { user, client, link, key } = await start(library);
  const [[isStored, stored], [isPulled, pulled], [isAnswered, answered]] = [moment(), moment(), moment()];
  let isPulling = false;
  link.beforeSending = async (options, url) => {
    if (!isPull(url)) return;
    isPulling = true;
    await isStored;
  };
  link.afterAnswer = async (response, options) => {
    const text = await response.text();
    response.json = async () => JSON.parse(text); // at once
    if (isPulling && isPull(response.url)) {
      pulled();
      if (isLate) await isAnswered;
    }
    if (!isPush(options)) return;
    await user.batch([{ op: "put", key, data: { completed: true } }]);
    stored();
    await isPulled;
    if (!isLate) await pause(0.1); // until the client took it
    answered();
  };
  await waitUntil(async () => {
    await user.batch([{ op: "put", key: newKey(), data: { title: "another" } }]);
    return isPulling;
  });
  await client.put(key, { title: "b" });
  await waitUntil(async () => (await user.list()).some((task) => task.completed));
  await end(user, client);
}
