import { replicateRxCollection } from "rxdb/plugins/replication";
import { edited, pick } from "./todo-api.js";

// Replicates a collection whose primary key is `key`; its schema says which other fields of a task it keeps.
export function replicateTasks(collection, api, options) {
  const properties = Object.keys(collection.schema.jsonSchema.properties);
  const toDocument = (task) => ({ ...pick(task, properties), _deleted: Boolean(task.deleted) });
  const answered = new Map(); // rows that were answered with another task than they would make

  async function pull(checkpoint) {
    const keys = async () => (await collection.find().exec()).map(({ key }) => key);
    const { changes, next } = await api.pull(checkpoint?.since, keys);
    return { documents: changes.map(toDocument), checkpoint: { since: next } };
  }

  // Where a document was edited during a push, RxDB drops the answer and repeats the edit of before, on its old base.
  function toEdit({ newDocumentState: { key, _deleted, ...data }, assumedMasterState: base }) {
    const last = answered.get(key);
    const isRepeated = last && Boolean(last.base) === Boolean(base) && !edited(last.base ?? {}, base ?? {}).length;
    return { key, data: _deleted ? null : data, base: isRepeated ? last.data : base };
  }

  async function push(rows) {
    const tasks = await api.push(rows.map(toEdit));
    return rows.flatMap(({ newDocumentState: { key, _deleted, ...data }, assumedMasterState: base }, index) => {
      const task = tasks[index];
      if (_deleted ? task.deleted : !task.deleted && !edited(task, data).length) return [];
      if (edited(task, base).length) answered.set(key, { base, data });
      return [toDocument(task)]; // as a conflict, which RxDB settles by taking it over
    });
  }

  const handlers = { pull: { handler: pull }, push: { handler: push } };
  const replication = replicateRxCollection({ collection, replicationIdentifier: "todo-api", ...handlers, ...options });
  replication.received$.subscribe(({ key }) => answered.delete(key));
  replication.onCancel.push(api.watch(() => (replication.reSync(), replication.awaitInSync())));
  return replication;
}
