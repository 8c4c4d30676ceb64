import * as Q from "@nozbe/watermelondb/QueryDescription/index.js";
import { synchronize } from "@nozbe/watermelondb/sync/index.js";
import { edited, pick } from "./todo-api.js";

// Gives a function that syncs the table `tasks`. Its optional string column `base` has each task as the API last had it.
export function tasksSync(database, api, { onConflict = console.warn } = {}) {
  let sent = new Map(), refused = new Map(), undone = new Map(), last = Promise.resolve();

  async function pullChanges({ lastPulledAt }) {
    const known = () => database.get("tasks").query(Q.where("_status", "synced")).fetchIds();
    const { changes, next } = await api.pull(lastPulledAt ?? 0, known);
    [undone, refused] = [refused, new Map()];
    const tasks = [...new Map([...undone.values(), ...changes].map((task) => [task.key, task])).values()];
    const toRaw = (task) => ({ ...task, id: task.key, base: JSON.stringify(pick(task)) });
    const updated = tasks.filter((task) => !task.deleted).map(toRaw);
    const deleted = tasks.filter((task) => task.deleted).map(({ key }) => key);
    return { changes: { tasks: { created: [], updated, deleted } }, timestamp: next };
  }

  // WatermelonDB keeps what was edited here, column by column: the last to sync wins.
  function conflictResolver(table, local, remote, resolved) {
    if (undone.has(local.id)) return { ...remote, _status: "synced", _changed: "" };
    const known = [local, sent.get(local.id), JSON.parse(local.base)].filter(Boolean);
    const isNews = (name) => known.every((task) => edited(task, remote).includes(name));
    if (Object.keys(pick(local, local._changed.split(","))).some(isNews)) onConflict(local, remote);
    return resolved;
  }

  async function pushChanges({ changes: { tasks: { created, updated, deleted } } }) {
    sent = new Map([...created, ...updated].map((raw) => [raw.id, raw]));
    const edits = [...sent].map(([key, data]) => ({ key, data, base: JSON.parse(data.base) }));
    const rejected = new Set();
    await api.push([...edits, ...deleted.map((key) => ({ key }))], (result, operation) => {
      rejected.add(operation.key); // to be tried again after the next pull, unless it is no conflict
      if (result.status !== 412) refused.set(operation.key, result.task ?? { key: operation.key, deleted: true });
      if (result.status !== 412) api.onRefused(result, operation);
    });
    return { experimentalRejectedIds: { tasks: [...rejected] } };
  }

  const handlers = { pullChanges, pushChanges, conflictResolver, sendCreatedAsUpdated: true };
  const sync = () => synchronize({ database, ...handlers }).then(() => refused.size && sync());
  return () => (last = last.catch(() => {}).then(sync)); // one after another
}
