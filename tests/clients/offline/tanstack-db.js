import { createCollection } from "@tanstack/db";
import { startOfflineExecutor } from "@tanstack/offline-transactions";
import { queryCollectionOptions } from "@tanstack/query-db-collection";

// Gives a `collection` of tasks by their `key`, in memory; `sync()`; and `change(callback)` for inserts, updates and
// deletes of the collection, which wait in a stored outbox.
export function tasksCollection(queryClient, api, options) {
  const [tasks, queryKey] = [new Map(), ["todo-api"]]; // tasks as the API last had them
  let since = 0;

  function keep(changes) {
    const isNews = ({ key, revision }) => !(tasks.get(key)?.revision > revision); // an answer may be overtaken
    for (const task of changes.filter(isNews)) task.deleted ? tasks.delete(task.key) : tasks.set(task.key, task);
    return queryClient.setQueryData(queryKey, [...tasks.values()]);
  }

  async function sync() {
    const { changes, next } = await api.pull(since, () => tasks.keys());
    since = next;
    if (!executor.getRunningCount()) executor.getOnlineDetector().notifyOnline(); // else it waits for up to a minute
    return keep(changes);
  }

  function toEdit({ type, modified, original }) {
    if (type === "delete") return { key: original.key, base: original };
    return { key: modified.key, data: modified, base: type === "insert" ? modified : original };
  }

  // The outbox drops edits on an AbortError, and on messages that hold 400, 401, 403 or 422.
  const tryAgain = (cause) => Promise.reject(new Error("The edits were not sent", { cause }));
  const push = ({ transaction }) => api.push(transaction.mutations.map(toEdit)).then(keep).catch(tryAgain);
  const queryFn = () => sync().catch(() => [...tasks.values()]); // offline: what is known
  const query = { queryClient, queryKey, queryFn, getKey: (task) => task.key, staleTime: Infinity };
  const collection = createCollection(queryCollectionOptions(query));
  const executor = startOfflineExecutor({ collections: { tasks: collection }, mutationFns: { push }, ...options });
  const change = (callback) => executor.createOfflineTransaction({ mutationFnName: "push" }).mutate(callback);
  return { collection, executor, change, sync };
}
