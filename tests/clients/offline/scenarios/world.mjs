// Where the scenarios happen: the server's address, users with tokens, links that fail, and what the server has.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac, randomUUID as newKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises"; // in full, whatever `quick.mjs` does
import { promisify } from "node:util";
import { FIELDS, todoApi } from "../todo-api.js";

const { ADDRESS, SECRET, PURGE } = process.env;
const base64 = (data) => Buffer.from(JSON.stringify(data)).toString("base64url");

export function signToken(user, seconds = 3600) {
  const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + seconds, jti: newKey() };
  const signed = `${base64({ alg: "HS256" })}.${base64(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

export const pause = (seconds) => sleep(seconds * 1000);

export async function waitUntil(condition, seconds = 10) {
  for (const deadline = Date.now() + seconds * 1000; ; await pause(0.01)) {
    if (await condition()) return;
    assert(Date.now() < deadline, `not within ${seconds} s: ${condition}`);
  }
}

// The same numbers from the same seed (mulberry32).
export function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Between one client and the server.
export class Link {
  requests = 0;
  tokens = 0; // that were asked for
  isUp = true;
  shouldFail = () => false; // before the request is sent
  shouldLose = () => false; // the answer, after the server did what it was asked for
  shouldBeLate = () => false; // whether edits fail, but reach the server just before the next ones
  late = []; // those requests
  beforeSending = async () => {};
  afterAnswer = async () => {}; // before the client gets it
  #cut = new AbortController();

  down() {
    this.isUp = false;
    this.#cut.abort();
    this.#cut = new AbortController();
  }

  up() {
    this.isUp = true;
  }

  async send(url, options) {
    this.requests += 1;
    if (!this.isUp || this.shouldFail(options)) throw new TypeError("the link failed");
    if (options.method === "POST" && this.shouldBeLate(options)) {
      this.late.push([url, { ...options, signal: undefined }]);
      throw new TypeError("the link failed");
    }
    if (options.method === "POST") for (const late of this.late.splice(0)) await fetchAlone(...late);
    await this.beforeSending(options, url);
    const signal = AbortSignal.any([options.signal, this.#cut.signal]);
    const response = await fetchAlone(url, { ...options, signal });
    await this.afterAnswer(response, options);
    if (!this.shouldLose(options)) return response;
    await response.arrayBuffer();
    throw new TypeError("the answer was lost");
  }
}

const links = new Map();
const fetchAlone = globalThis.fetch;
globalThis.fetch = (url, options) => {
  const link = links.get(options?.headers?.Authorization);
  return link ? link.send(url, options) : fetchAlone(url, options);
};

// A user of the server: the links and adapters' API of its clients, and requests of a client that is always online.
export class User {
  constructor() {
    this.id = newKey();
    this.path = `/api/${this.id}/tasks`;
    this.tasks = `${ADDRESS}${this.path}`;
    this.token = signToken(this.id);
  }

  api({ isOffline = false, address = ADDRESS, ...options } = {}) {
    const [link, refusals] = [new Link(), []];
    link.isUp = !isOffline;
    const tokens = [-60, 3600].map((seconds) => signToken(this.id, seconds)); // the first one has expired
    for (const token of tokens) links.set(`Bearer ${token}`, link);
    const getToken = async () => tokens[Math.min(link.tokens++, 1)];
    const onRefused = (result, operation) => refusals.push({ ...result, operation });
    return Object.assign(todoApi(`${address}${this.path}`, getToken, { onRefused, ...options }), { link, refusals });
  }

  async request(method, path = "", body = undefined) {
    const headers = { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" };
    const response = await fetchAlone(this.tasks + path, { method, headers, body: body && JSON.stringify(body) });
    assert(response.ok, `${method} ${path}: ${response.status}`);
    return response.status === 204 ? null : response.json();
  }

  batch(operations) {
    return this.request("POST", "/batch", { operations });
  }

  // All tasks; the tests have fewer than a page holds.
  async list() {
    return view(await this.request("GET"));
  }
}

// What must be equal everywhere.
export const view = (tasks) =>
  tasks
    .map((task) => ({ key: task.key, ...Object.fromEntries(FIELDS.map((name) => [name, task[name] ?? null])) }))
    .sort((one, other) => (one.key < other.key ? -1 : 1));

// Whether clients have the same tasks; with the user among them, those that the server has.
export async function haveTheSame(...clients) {
  const lists = await Promise.all(clients.map((client) => client.list()));
  return new Set(lists.map((list) => JSON.stringify(list))).size === 1;
}

export { newKey };
export const NEW = { title: "a", description: null, completed: false, due: null, priority: 0, tags: [] };

// `flask purge` of all tombstones; scenarios that ask for it at about the same time share one.
let purging;
export function purge() {
  purging ??= pause(0.3).then(() => {
    purging = undefined;
    return promisify(execFile)(...JSON.parse(PURGE));
  });
  return purging;
}
