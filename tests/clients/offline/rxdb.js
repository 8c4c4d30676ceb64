import { replicateRxCollection } from "rxdb/plugins/replication";
import { edited, pick } from "./todo-api.js";

// Replicates a collection whose primary key is `key`; its schema says which other fields of a task it keeps.
export function replicateTasks(collection, api, options) {
  const properties = Object.keys(collection.schema.jsonSchema.properties);
  const toDocument = (task) => ({ ...pick(task, properties), _deleted: Boolean(task.deleted) });
  const sent = new Map(); // rows that wait for an answer, and what is pulled of them meanwhile: maybe their own effect
  const answered = new Map(); // rows that were answered with another task than they would make
  async function pull(checkpoint) {
    const keys = async () => (await collection.find().exec()).map(({ key }) => key);
    const { changes, next } = await api.pull(checkpoint?.since, keys);
    for (const change of changes) if (sent.has(change.key)) sent.set(change.key, change);
    return { documents: changes.filter(({ key }) => !sent.has(key)).map(toDocument), checkpoint: { since: next } };
  }
  // Where a document was edited during a push, RxDB drops the answer and repeats the edit of before, on its old base.
  function toEdit({ newDocumentState: { key, _deleted, ...data }, assumedMasterState: base }) {
    const last = answered.get(key);
    const isRepeated = last && Boolean(last.base) === Boolean(base) && !edited(last.base ?? {}, base).length;
    return { key, data: _deleted ? null : data, base: isRepeated ? last.data : base };
  }
  async function push(rows) {
    for (const { newDocumentState: { key } } of rows) sent.set(key, sent.get(key));
    const tasks = await api.push(rows.map(toEdit));
    return rows.flatMap(({ newDocumentState: { key, _deleted, ...data }, assumedMasterState: base }, index) => {
      const answers = [tasks[index], sent.get(key)]; // a pull may overtake an answer: the newest counts
      const task = answers.reduce((one, other) => (other?.revision > one.revision ? other : one));
      sent.delete(key);
      if (_deleted ? task.deleted : !task.deleted && !edited(data, task).length) return [];
      if (!base || edited(base, task).length) answered.set(key, { base, data });
      return [toDocument(task)]; // as a conflict, which RxDB settles by taking it over
    });
  }

  const handlers = { pull: { handler: pull }, push: { handler: push } };
  const replication = replicateRxCollection({ collection, replicationIdentifier: "todo-api", ...handlers, ...options });
  replication.received$.subscribe(({ key }) => answered.delete(key));
  replication.onCancel.push(api.watch(() => (replication.reSync(), replication.awaitInSync())));
  return replication;
}
