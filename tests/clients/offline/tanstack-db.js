import { createCollection } from "@tanstack/db";
import { startOfflineExecutor } from "@tanstack/offline-transactions";

// Gives a `collection` of tasks by `key`, in memory; `sync()`; and `change(callback)` for edits, which an outbox keeps.
export function tasksCollection(api, options) {
  let since = 0, store, tasks = new Map(); // as the API last had them

  // At once: an edit that is made before the collection shows what came of the one before would conflict with it.
  function take(changes) {
    store.begin({ immediate: true });
    for (const task of changes) {
      const known = tasks.get(task.key);
      if (!task.deleted) store.write({ type: known ? "update" : "insert", value: task });
      if (task.deleted && known) store.write({ type: "delete", value: known });
      task.deleted ? tasks.delete(task.key) : tasks.set(task.key, task);
    }
    store.commit();
  }

  async function sync() {
    const { changes, next } = await api.pull(since, () => tasks.keys());
    take(changes);
    since = next;
    if (!executor.getRunningCount()) executor.getOnlineDetector().notifyOnline(); // else it waits for up to a minute
  }

  function toEdit({ type, modified, original }) {
    if (type === "delete") return { key: original.key, base: original };
    return { key: modified.key, data: modified, base: type === "insert" ? modified : original };
  }

  // The outbox drops edits on an AbortError, and on messages that hold 400, 401, 403 or 422.
  const tryAgain = (cause) => Promise.reject(new Error("The edits were not sent", { cause }));
  const push = ({ transaction }) => api.push(transaction.mutations.map(toEdit)).then(take).catch(tryAgain);
  const source = { rowUpdateMode: "full", sync: (given) => (store = given).markReady() };
  const collection = createCollection({ id: "tasks", getKey: ({ key }) => key, sync: source, startSync: true });
  const executor = startOfflineExecutor({ collections: { tasks: collection }, mutationFns: { push }, ...options });
  const change = (callback) => executor.createOfflineTransaction({ mutationFnName: "push" }).mutate(callback);
  return { collection, executor, change, sync };
}
