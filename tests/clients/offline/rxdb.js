import { replicateRxCollection } from "rxdb/plugins/replication";
import { edited, pick } from "./todo-api.js";

// Replicates a collection whose primary key is `key`; its schema says which other fields of a task it keeps.
export function replicateTasks(collection, api, options) {
  const properties = Object.keys(collection.schema.jsonSchema.properties);
  const toDocument = (task) => ({ ...pick(task, properties), _deleted: Boolean(task.deleted) });
  const sent = new Map(); // rows that wait for an answer, and what is pulled of them meanwhile: maybe their own effect
  async function pull(checkpoint) {
    const keys = async () => (await collection.find().exec()).map(({ key }) => key);
    const { changes, next } = await api.pull(checkpoint?.since, keys);
    for (const change of changes) if (sent.has(change.key)) sent.set(change.key, change);
    return { documents: changes.filter(({ key }) => !sent.has(key)).map(toDocument), checkpoint: { since: next } };
  }
  function toEdit({ newDocumentState: { key, _deleted, ...data }, assumedMasterState: base }) {
    return { key, data: _deleted ? null : data, base };
  }
  async function push(rows) {
    const keys = rows.map(({ newDocumentState: { key } }) => key);
    for (const key of keys) sent.set(key, sent.get(key));
    const answers = await api.push(rows.map(toEdit));
    const documents = await collection.findByIds(keys).exec();
    const pulled = keys.map((key) => sent.get(key));
    const tasks = answers.map((task, index) => (pulled[index]?.revision > task.revision ? pulled[index] : task));
    for (const key of keys) sent.delete(key);
    return tasks.map(toDocument).filter(({ key }, index) => {
      const { _deleted, ...data } = rows[index].newDocumentState;
      const isThis = (task) => (_deleted ? !task || task.deleted : task && !task.deleted && !edited(data, task).length);
      // Another task is a conflict, which RxDB settles by taking it over; but not where the document was edited
      // meanwhile: the row counts as taken then, and the next one has it as its base.
      return !isThis(tasks[index]) && isThis(documents.get(key));
    });
  }

  const handlers = { pull: { handler: pull }, push: { handler: push } };
  const replication = replicateRxCollection({ collection, replicationIdentifier: "todo-api", ...handlers, ...options });
  replication.onCancel.push(api.watch(() => (replication.reSync(), replication.awaitInSync())));
  return replication;
}
