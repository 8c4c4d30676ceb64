import { synchronize } from "@nozbe/watermelondb/sync/index.js";
import { edited } from "./todo-api.js";

// Gives a function that syncs the table `tasks`; its optional string column `base` keeps each task as the API had it.
export function tasksSync(database, api, { onConflict = console.warn } = {}) {
  let sent = new Map(), refused = new Map(), undone = new Map(), last = Promise.resolve(), rejected, timer;
  const ids = (records) => records.filter(({ syncStatus }) => syncStatus === "synced").map(({ id }) => id);
  const toTask = (raw) => ("tags" in raw ? { ...raw, tags: JSON.parse(raw.tags || "[]") } : raw);
  const toRaw = (task) => ({ ...task, id: task.key, tags: JSON.stringify(task.tags), base: JSON.stringify(task) });
  async function pullChanges({ lastPulledAt }) {
    const { changes, next } = await api.pull(lastPulledAt ?? 0, () => database.get("tasks").query().fetch().then(ids));
    [undone, refused] = [refused, new Map()];
    const latest = [...new Map([...undone.values(), ...changes].map((task) => [task.key, task])).values()];
    const updated = latest.filter((task) => !task.deleted).map(toRaw);
    const deleted = latest.filter((task) => task.deleted).map(({ key }) => key);
    return { changes: { tasks: { created: [], updated, deleted } }, timestamp: next };
  }
  function conflictResolver(table, local, remote, resolved) { // WatermelonDB's way: by column, the last to sync wins
    if (undone.has(local.id)) return { ...remote, _status: "synced", _changed: "" };
    const known = [toTask(local), sent.get(local.id), JSON.parse(local.base)].filter(Boolean);
    const isNews = (name) => known.every((task) => edited(task, toTask(remote)).includes(name));
    if (local._changed.split(",").some(isNews)) onConflict(local, remote);
    return resolved;
  }
  async function pushChanges({ changes: { tasks: { created, updated, deleted } } }) {
    const puts = created.concat(updated).map((raw) => ({ key: raw.id, data: toTask(raw), base: JSON.parse(raw.base) }));
    [sent, rejected] = [new Map(puts.map(({ key, data }) => [key, data])), new Set()];
    await api.push([...puts, ...deleted.map((key) => ({ key }))], (result, operation) => {
      rejected.add(operation.key); // sent again after the next pull, which undoes those that are no conflict
      if (result.status !== 412) refused.set(operation.key, result.task ?? { key: operation.key, deleted: true });
      if (result.status !== 412) api.onRefused(result, operation);
    });
    return { experimentalRejectedIds: { tasks: [...rejected] } };
  }
  const options = { database, pullChanges, pushChanges, conflictResolver, sendCreatedAsUpdated: true };
  const sync = () => synchronize(options).then(() => refused.size && sync());
  const tryAgain = () => (clearTimeout(timer), (timer = setTimeout(start, 3000)));
  const start = () => (last = last.catch(() => {}).then(sync)).catch(tryAgain) && last; // one after another
  return start;
}
