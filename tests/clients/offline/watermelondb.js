import { synchronize } from "@nozbe/watermelondb/sync/index.js";
import { edited } from "./todo-api.js";

// Gives a function that syncs the table `tasks`; its optional string column `base` keeps each task as the API had it.
export function tasksSync(database, api, { onConflict = console.warn } = {}) {
  let sent = [], refused = new Map(), undone = new Map(), last = Promise.resolve(), timer;
  const ids = (records) => records.filter(({ syncStatus }) => syncStatus === "synced").map(({ id }) => id);
  const toTask = (raw) => ("tags" in raw ? { ...raw, tags: [...new Set(JSON.parse(raw.tags || "[]"))] } : raw);
  const toRaw = (task) => ({ ...task, id: task.key, tags: JSON.stringify(task.tags), base: JSON.stringify(task) });
  async function pullChanges({ lastPulledAt }) {
    const synced = () => database.get("tasks").query().fetch().then(ids);
    const { changes, next } = await api.pull(lastPulledAt ?? 0, synced);
    [undone, refused] = [refused, new Map()];
    const known = new Set([...(await synced()), ...undone.keys()]); // what is edited is refused, and undone then
    const latest = [...new Map([...undone.values(), ...changes].map((task) => [task.key, task])).values()];
    const updated = latest.filter((task) => !task.deleted).map(toRaw);
    const deleted = latest.filter((task) => task.deleted && known.has(task.key)).map(({ key }) => key);
    return { changes: { tasks: { created: [], updated, deleted } }, timestamp: next };
  }
  function conflictResolver(table, local, remote, resolved) { // WatermelonDB's way: by column, the last to sync wins
    if (undone.has(local.id)) return { ...remote, _status: "synced", _changed: "" };
    const known = [toTask(local), JSON.parse(local.base), ...sent.map(({ key, data }) => key === local.id && data)];
    const isNews = (name) => known.every((task) => !task || edited(task, toTask(remote)).includes(name));
    return local._changed.split(",").some(isNews) && onConflict(local, remote), resolved;
  }
  async function pushChanges({ changes: { tasks: { created, updated, deleted } } }) {
    const puts = created.concat(updated).map((raw) => ({ key: raw.id, data: toTask(raw), base: JSON.parse(raw.base) }));
    sent.push(...puts); // what was not answered may have been done, even later
    const tasks = await api.push([...puts, ...deleted.map((key) => ({ key }))], (result, edit, key = edit.key) =>
      result.status === 412 || (refused.set(key, result.task ?? { key, deleted: true }), api.onRefused(result, edit)));
    // What differs is sent again after the next pull, which undoes those that are no conflict.
    const rejected = puts.filter(({ data }, n) => edited(data, tasks[n]).length).map(({ key }) => key);
    return rejected.length || (sent = puts), { experimentalRejectedIds: { tasks: rejected } };
  }
  const options = { database, pullChanges, pushChanges, conflictResolver, sendCreatedAsUpdated: true };
  const sync = () => synchronize(options).then(() => refused.size && sync());
  const tryAgain = () => (clearTimeout(timer), (timer = setTimeout(start, 3000)));
  const start = () => (last = last.catch(() => {}).then(sync)).catch(tryAgain) && last; // one after another
  return start;
}
