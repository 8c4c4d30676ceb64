import { synchronize } from "@nozbe/watermelondb/sync/index.js";
import { edited, pick } from "./todo-api.js";

// Gives a function that syncs the table `tasks`; its optional string column `base` keeps each task as the API had it.
export function tasksSync(database, api, { onConflict = console.warn } = {}) {
  let sent = new Map(), refused = new Map(), undone = new Map(), last = Promise.resolve();
  const synced = (records) => records.filter(({ syncStatus }) => syncStatus === "synced").map(({ id }) => id);
  const toRaw = (task) => ({ ...task, id: task.key, base: JSON.stringify(pick(task)) });
  async function pullChanges({ lastPulledAt }) {
    const known = () => database.get("tasks").query().fetch().then(synced);
    const { changes, next } = await api.pull(lastPulledAt ?? 0, known);
    [undone, refused] = [refused, new Map()];
    const tasks = [...new Map([...undone.values(), ...changes].map((task) => [task.key, task])).values()];
    const updated = tasks.filter((task) => !task.deleted).map(toRaw);
    const deleted = tasks.filter((task) => task.deleted).map(({ key }) => key);
    return { changes: { tasks: { created: [], updated, deleted } }, timestamp: next };
  }
  // WatermelonDB keeps what was edited here, column by column: the last to sync wins.
  function conflictResolver(table, local, remote, resolved) {
    if (undone.has(local.id)) return { ...remote, _status: "synced", _changed: "" };
    const known = [local, sent.get(local.id), JSON.parse(local.base)].filter(Boolean);
    const isNews = (name) => known.every((task) => edited(task, remote).includes(name));
    if (local._changed.split(",").some(isNews)) onConflict(local, remote);
    return resolved;
  }
  async function pushChanges({ changes: { tasks: { created, updated, deleted } } }) {
    const edits = [...created, ...updated].map((data) => ({ key: data.id, data, base: JSON.parse(data.base) }));
    sent = new Map(edits.map(({ key, data }) => [key, data]));
    const rejected = new Set(); // they are sent again after the next pull, which undoes those that are no conflict
    await api.push([...edits, ...deleted.map((key) => ({ key }))], (result, operation) => {
      rejected.add(operation.key);
      if (result.status !== 412) refused.set(operation.key, result.task ?? { key: operation.key, deleted: true });
      if (result.status !== 412) api.onRefused(result, operation);
    });
    return { experimentalRejectedIds: { tasks: [...rejected] } };
  }
  const options = { database, pullChanges, pushChanges, conflictResolver, sendCreatedAsUpdated: true };
  const sync = () => synchronize(options).then(() => refused.size && sync());
  return () => (last = last.catch(() => {}).then(sync)); // one after another
}
