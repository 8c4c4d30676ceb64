import { applyChanges, internal } from "@legendapp/state";
import { synced } from "@legendapp/state/sync";

// For an observable of tasks by their keys, persisted by `options.persist` as `{ name, plugin, retrySync: true }`.
export function syncedTasks(api, options) {
  const toEntry = (task) => [task.key, task.deleted ? internal.symbolDelete : task];
  const unsent = new Set(); // lists of edits; a task with edits is taken over from their answer
  let take, last = Promise.resolve();

  function subscribe({ value$, update, lastSync: since = 0 }) {
    take = (tasks, lastSync) => {
      const keys = new Set([...unsent].flat().map(({ key }) => key));
      const value = Object.fromEntries(tasks.filter(({ key }) => !keys.has(key)).map(toEntry));
      update({ value, lastSync, mode: "assign" });
    };
    const known = () => Object.values(value$.peek() ?? {}).filter((task) => task?.revision).map((task) => task.key);
    return api.watch(async () => {
      const { changes, next } = await api.pull(since, known);
      setTimeout(take, 0, changes, next); // in the order of the answers
      since = next;
    });
  }

  // Legend-State drops a failed write when another request begins: here they are tried in order until they succeed.
  async function set({ value, changes }) {
    const before = applyChanges(structuredClone(value), changes, true);
    const keys = new Set(changes.flatMap(({ path: [key] }) => key ?? Object.keys({ ...before, ...value })));
    const edits = structuredClone([...keys].map((key) => ({ key, data: value[key], base: before[key] })));
    // Taken over when Legend-State no longer counts these changes as unsent.
    const end = (tasks) => unsent.delete(edits) && setTimeout(take, 0, tasks);
    const tryAgain = () => new Promise((resolve) => setTimeout(resolve, 3000)).then(push);
    const push = () => api.push(edits).then(end, tryAgain);
    unsent.add(edits);
    await (last = last.then(push));
  }

  return synced({ initial: {}, subscribe, set, ...options });
}
