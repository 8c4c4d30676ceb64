// A client of each library, with the same handles: `put`, `remove`, `list`, `sync`, `close`, and its `api`.
import loki from "lokijs";
import watermelon from "@nozbe/watermelondb/index.js";
import lokijs from "@nozbe/watermelondb/adapters/lokijs/index.js";
import { hasUnsyncedChanges } from "@nozbe/watermelondb/sync/index.js";
import { observable, syncState } from "@legendapp/state";
import { ObservablePersistLocalStorageBase } from "@legendapp/state/persist-plugins/local-storage";
import { Collection, createPersistenceAdapter } from "@signaldb/core";
import { WebOnlineDetector } from "@tanstack/offline-transactions";
import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageMemory } from "rxdb/plugins/storage-memory";
import { syncedTasks } from "../legend-state.js";
import { replicateTasks } from "../rxdb.js";
import { tasksSyncManager } from "../signaldb.js";
import { tasksCollection } from "../tanstack-db.js";
import { tasksSync } from "../watermelondb.js";
import { newKey, view, waitUntil } from "./world.mjs";

const { Database, Model, appSchema, tableSchema } = watermelon;

async function rxdb(user, options) {
  const api = user.api(options);
  const database = await createRxDatabase({ name: newKey(), storage: getRxStorageMemory(), multiInstance: false });
  const properties = {
    key: { type: "string", maxLength: 64 },
    title: { type: "string" },
    description: { type: ["string", "null"] },
    completed: { type: "boolean" },
    due: { type: ["string", "null"] },
    priority: { type: "integer" },
    tags: { type: "array", items: { type: "string" } },
    revision: { type: "integer" },
  };
  const schema = { version: 0, primaryKey: "key", type: "object", properties, required: ["key"] };
  const { tasks } = await database.addCollections({ tasks: { schema } });
  const errors = [];
  const start = () => {
    const replication = replicateTasks(tasks, api, { retryTime: 20 });
    replication.error$.subscribe(({ parameters }) => errors.push(...(parameters.errors ?? [])));
    return replication;
  };
  let replication = start();
  return {
    api,
    errors,
    put: async (key, fields) => {
      const task = await tasks.findOne(key).exec();
      return task ? task.incrementalPatch(fields) : tasks.insert({ key, ...fields });
    },
    remove: async (key) => (await tasks.findOne(key).exec())?.incrementalRemove(),
    list: async () => view((await tasks.find().exec()).map((task) => task.toJSON())),
    sync: async () => {
      replication.reSync();
      await replication.awaitInSync();
    },
    stop: () => replication.cancel(),
    start: () => (replication = start()),
    watch() {}, // as soon as it starts
    close: () => database.close(),
  };
}

class Task extends Model {
  static table = "tasks";
}

async function watermelondb(user, { storage = new Map(), ...options } = {}) {
  const api = user.api(options);
  const text = (name) => ({ name, type: "string" });
  const columns = [
    text("title"),
    { ...text("description"), isOptional: true },
    { name: "completed", type: "boolean" },
    { ...text("due"), isOptional: true },
    { name: "priority", type: "number" },
    text("tags"), // a list, as JSON
    { ...text("base"), isOptional: true },
  ];
  const schema = appSchema({ version: 1, tables: [tableSchema({ name: "tasks", columns })] });
  if (!storage.has("loki")) storage.set("loki", new loki.LokiMemoryAdapter());
  const memory = { _testLokiAdapter: storage.get("loki"), useWebWorker: false, useIncrementalIndexedDB: false };
  const adapter = new lokijs.default({ dbName: "tasks", schema, ...memory });
  const database = new Database({ adapter, modelClasses: [Task] });
  const tasks = database.get("tasks");
  const conflicts = [];
  let stop; // where it is live
  const sync = tasksSync(database, api, { onConflict: (local, remote) => conflicts.push({ local, remote }) });
  const find = async (key) => (await tasks.query().fetch()).find((task) => task.id === key);
  const toColumn = (value) => (Array.isArray(value) ? JSON.stringify(value) : value);
  const write = (record, fields) =>
    Object.entries(fields).forEach(([name, value]) => record._setRaw(name, toColumn(value)));
  return {
    api,
    conflicts,
    put: async (key, fields) => {
      await database.write(async () => {
        const task = await find(key);
        if (task) return task.update((record) => write(record, fields));
        return tasks.create((record) => {
          record._raw.id = key;
          write(record, fields);
        });
      });
      if (stop) sync().catch(() => {});
    },
    remove: (key) => database.write(async () => (await find(key))?.markAsDeleted()),
    list: async () => view((await tasks.query().fetch()).map(({ _raw: raw }) => ({ ...raw, key: raw.id, tags: JSON.parse(raw.tags) }))),
    sync,
    unsent: () => hasUnsyncedChanges({ database }),
    watch: () => (stop = api.watch(sync)),
    close: async () => stop?.(),
  };
}

async function tanstack(user, { storage = new Map(), ...options } = {}) {
  const api = user.api(options);
  const alone = { requestLeadership: async () => true, releaseLeadership() {}, isLeader: () => true };
  const executorOptions = {
    leaderElection: { ...alone, onLeadershipChange: () => () => {} },
    onlineDetector: Object.assign(new WebOnlineDetector(), { isOnline: () => true }),
    storage: {
      get: async (key) => storage.get(key) ?? null,
      set: async (key, value) => void storage.set(key, value),
      delete: async (key) => void storage.delete(key),
      keys: async () => [...storage.keys()],
      clear: async () => storage.clear(),
    },
  };
  const { collection, executor, change, sync } = tasksCollection(api, executorOptions);
  await executor.waitForInit();
  let stop = () => {};
  const unsent = async () => (await executor.peekOutbox()).length;
  return {
    api,
    unsent,
    put: (key, fields) =>
      change(() => {
        if (collection.has(key)) collection.update(key, (draft) => void Object.assign(draft, fields));
        else collection.insert({ key, ...fields });
      }),
    remove: (key) => collection.has(key) && change(() => collection.delete(key)),
    list: async () => view(collection.toArray),
    sync: async () => {
      await waitUntil(async () => {
        await sync();
        return (await unsent()) === 0;
      }, 300); // edits are sent one after another
      await sync();
    },
    watch: () => (stop = api.watch(sync)),
    close: async () => {
      stop();
      executor.dispose();
    },
  };
}

async function signaldb(user, { storage = new Map(), ...options } = {}) {
  const api = user.api(options);
  const persistenceAdapter = (name) =>
    createPersistenceAdapter({
      register: async () => {},
      load: async () => ({ items: JSON.parse(storage.get(name) ?? "[]") }),
      save: async (items) => void storage.set(name, JSON.stringify(items)),
    });
  const collection = new Collection({ persistence: persistenceAdapter("tasks") });
  const manager = tasksSyncManager(api, { debounceTime: 5, persistenceAdapter });
  await collection.isReady();
  manager.addCollection(collection, { name: "tasks" });
  return {
    api,
    put: async (key, fields) => {
      if (collection.findOne({ id: key }, { reactive: false })) collection.updateOne({ id: key }, { $set: fields });
      else collection.insert({ id: key, ...fields });
    },
    remove: async (key) => collection.removeOne({ id: key }),
    list: async () => view(collection.find({}, { reactive: false }).map((item) => ({ ...item, key: item.id }))),
    sync: () => manager.sync("tasks"),
    unsent: async () => manager.changes.find({}, { reactive: false }).count(),
    watch() {},
    close: async () => {
      await manager.pauseAll();
      await manager.dispose();
    },
  };
}

async function legendState(user, { storage = new Map(), ...options } = {}) {
  const api = user.api(options);
  class Persistence extends ObservablePersistLocalStorageBase {
    constructor() {
      super({
        getItem: (key) => storage.get(key) ?? null,
        setItem: (key, value) => storage.set(key, value),
        removeItem: (key) => storage.delete(key),
      });
    }
  }
  const persist = { name: "tasks", plugin: Persistence, retrySync: true };
  const tasks$ = observable(syncedTasks(api, { persist }));
  const stop = tasks$.onChange(() => {});
  tasks$.get();
  const unsent = () => Object.keys(syncState(tasks$).getPendingChanges() ?? {}).length;
  return {
    api,
    unsent,
    put: async (key, fields) => {
      if (tasks$[key].peek()) tasks$[key].assign(fields);
      else tasks$[key].set({ key, ...fields });
    },
    remove: async (key) => tasks$[key].delete(),
    list: async () => view(Object.values(tasks$.peek() ?? {}).filter(Boolean)),
    sync: () => waitUntil(() => unsent() === 0, 300),
    watch() {},
    close: async () => stop(),
  };
}

export const LIBRARIES = { rxdb, watermelondb, tanstack, signaldb, legendState };

export async function close(clients) {
  for (const client of clients) await client.close();
}
