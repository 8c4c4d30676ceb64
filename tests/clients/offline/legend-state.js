import { applyChanges, internal, syncState } from "@legendapp/state";
import { synced } from "@legendapp/state/sync";

// For an observable of tasks by their keys. It is to be persisted with `persist: { name, plugin, retrySync: true }`.
export function syncedTasks(api, options) {
  const toValue = (tasks) =>
    Object.fromEntries(tasks.map((task) => [task.key, task.deleted ? internal.symbolDelete : task]));
  let last = Promise.resolve();

  function subscribe({ value$, update, lastSync }) {
    let since = lastSync ?? 0;
    return api.watch(async () => {
      const unsynced = () => new Set(Object.keys(syncState(value$).getPendingChanges() ?? {}).map((path) => path.split("/")[0]));
      const known = () => Object.values(value$.peek() ?? {}).filter((task) => task.revision).map((task) => task.key);
      const { changes, next } = await api.pull(since, known);
      const edits = unsynced();
      update({ value: toValue(changes.filter((task) => !(task.deleted && edits.has(task.key)))), lastSync: next, mode: "assign" });
      since = next;
    });
  }

  // Legend-State drops a failed write when another one follows: they are tried here, in order, until they arrive.
  async function set({ value, changes, update }) {
    const before = applyChanges(structuredClone(value), changes, true);
    const keys = [...new Set(changes.map(({ path }) => path[0]))];
    const edits = keys.map((key) => ({ key, data: value[key], base: before[key] }));
    last = last.then(async () => {
      for (;;) {
        const tasks = await api.push(edits).catch(() => new Promise((resolve) => setTimeout(resolve, 3000)));
        if (tasks) return update({ value: toValue(tasks), mode: "merge" });
      }
    });
    return last;
  }

  return synced({ initial: {}, subscribe, set, ...options });
}
