import { applyChanges, internal, syncState } from "@legendapp/state";
import { synced } from "@legendapp/state/sync";

// For an observable of tasks by their keys, persisted by `options.persist` as `{ name, plugin, retrySync: true }`.
export function syncedTasks(api, options) {
  const toEntry = (task) => [task.key, task.deleted ? internal.symbolDelete : task];
  let take, last = Promise.resolve();

  // Takes over tasks as the API has them; what is still to be sent stays.
  function subscribe({ value$, update, lastSync: since = 0 }) {
    take = (tasks, lastSync) => {
      const unsent = Object.keys(syncState(value$).getPendingChanges() ?? {}).map((path) => path.split("/")[0]);
      const taken = tasks.filter((task) => !(task.deleted && unsent.includes(task.key)));
      update({ value: Object.fromEntries(taken.map(toEntry)), lastSync, mode: "assign" });
    };
    const known = () => Object.values(value$.peek() ?? {}).filter((task) => task?.revision).map((task) => task.key);
    return api.watch(async () => {
      const { changes, next } = await api.pull(since, known);
      take(changes, next);
      since = next;
    });
  }

  // Legend-State drops a failed write when another request begins: here they are tried in order until they succeed.
  async function set({ value, changes }) {
    const before = applyChanges(structuredClone(value), changes, true);
    const keys = new Set(changes.flatMap(({ path: [key] }) => key ?? Object.keys({ ...before, ...value })));
    const edits = [...keys].map((key) => ({ key, data: value[key], base: before[key] }));
    const push = () => api.push(edits).catch(() => new Promise((resolve) => setTimeout(resolve, 3000)).then(push));
    last = last.then(push);
    setTimeout(take, 0, await last); // when these changes no longer count as unsent
  }

  return synced({ initial: {}, subscribe, set, ...options });
}
