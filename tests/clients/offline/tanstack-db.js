import { createCollection } from "@tanstack/db";
import { startOfflineExecutor } from "@tanstack/offline-transactions";
import { queryCollectionOptions } from "@tanstack/query-db-collection";

// Gives a `collection` of tasks by `key`, in memory; `sync()`; and `change(callback)` for edits, which an outbox keeps.
export function tasksCollection(queryClient, api, options) {
  const [tasks, queryKey] = [new Map(), ["todo-api"]]; // tasks as the API last had them
  let since = 0;

  // At once: an edit that is made before the collection shows what came of the one before would conflict with it.
  function take(changes) {
    const gone = changes.filter((task) => task.deleted && tasks.delete(task.key));
    const there = changes.filter((task) => !task.deleted);
    for (const task of there) tasks.set(task.key, task);
    collection.utils.writeDelete(gone.map(({ key }) => key));
    collection.utils.writeUpsert(there);
    queryClient.setQueryData(queryKey, [...tasks.values()]); // or an older state may come back
  }

  async function sync() {
    const { changes, next } = await api.pull(since, () => tasks.keys());
    if (!executor.getRunningCount()) executor.getOnlineDetector().notifyOnline(); // else it waits for up to a minute
    take(changes);
    since = next;
  }

  function toEdit({ type, modified, original }) {
    if (type === "delete") return { key: original.key, base: original };
    return { key: modified.key, data: modified, base: type === "insert" ? modified : original };
  }

  // The outbox drops edits on an AbortError, and on messages that hold 400, 401, 403 or 422.
  const tryAgain = (cause) => Promise.reject(new Error("The edits were not sent", { cause }));
  const push = ({ transaction }) => api.push(transaction.mutations.map(toEdit)).then(take).catch(tryAgain);
  const query = { queryClient, queryKey, queryFn: () => [...tasks.values()], getKey: ({ key }) => key };
  const collection = createCollection({ ...queryCollectionOptions(query), startSync: true });
  const executor = startOfflineExecutor({ collections: { tasks: collection }, mutationFns: { push }, ...options });
  const change = (callback) => executor.createOfflineTransaction({ mutationFnName: "push" }).mutate(callback);
  return { collection, executor, change, sync };
}
