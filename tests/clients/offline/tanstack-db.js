import { createCollection } from "@tanstack/db";
import { startOfflineExecutor } from "@tanstack/offline-transactions";
import { queryCollectionOptions } from "@tanstack/query-db-collection";

// Gives a collection of tasks by their `key`; `change(callback)`, whose inserts, updates and deletes of the collection go
// to an outbox; and `sync()`. The outbox is stored, the tasks are in memory.
export function tasksCollection(queryClient, api, options) {
  const tasks = new Map(); // as the API last had them
  const queryKey = ["todo-api"];
  let since = 0;

  function keep(changes) {
    for (const task of changes) {
      if (tasks.get(task.key)?.revision > task.revision) continue; // an answer was faster
      if (task.deleted) tasks.delete(task.key);
      else tasks.set(task.key, task);
    }
    return queryClient.setQueryData(queryKey, [...tasks.values()]);
  }

  async function sync() {
    const { changes, next } = await api.pull(since, () => tasks.keys());
    since = next;
    return keep(changes);
  }

  const toEdit = ({ type, modified, original }) =>
    type === "insert"
      ? { key: modified.key, data: modified, base: modified } // what it was first sent with, so that it can be repeated
      : { key: original.key, data: type === "delete" ? null : modified, base: original };

  const queryFn = () => sync().catch(() => [...tasks.values()]); // offline: what is known
  const query = { queryClient, queryKey, queryFn, getKey: (task) => task.key, staleTime: Infinity };
  const collection = createCollection(queryCollectionOptions(query));
  const push = async ({ transaction }) => keep(await api.push(transaction.mutations.map(toEdit)));
  const executor = startOfflineExecutor({ collections: { tasks: collection }, mutationFns: { push }, ...options });
  const change = (callback) => executor.createOfflineTransaction({ mutationFnName: "push" }).mutate(callback);
  return { collection, executor, change, sync };
}
