import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
import { replicateTasks } from "../rxdb.js";
import { todoApi } from "../todo-api.js";

const [text, completed] = [{ type: "string" }, { type: "boolean" }];
const properties = { key: { ...text, maxLength: 64 }, title: text, description: { type: ["string", "null"] }, completed };
const schema = { version: 0, primaryKey: "key", type: "object", properties, required: ["key"] };

export async function openTasks(userId, address, getToken) {
  const database = await createRxDatabase({ name: `tasks-${userId}`, storage: getRxStorageDexie() });
  const { tasks } = await database.addCollections({ tasks: { schema } });
  replicateTasks(tasks, todoApi(`${address}/api/${encodeURIComponent(userId)}/tasks`, getToken));
  return tasks; // tasks.find().$, tasks.insert({ key: crypto.randomUUID(), title, … })
}
