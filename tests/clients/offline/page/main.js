// A page with tasks in the browser's own database. It is served by the app that also has Better Auth, under API's
// address `?api=…`; who is signed in is remembered, so that the page opens offline.
import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
import { replicateTasks } from "../rxdb.js";
import { todoApi } from "../todo-api.js";

async function auth(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/api/auth/${path}`, options);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function open(userId) {
  const database = await createRxDatabase({ name: `tasks-${userId}`, storage: getRxStorageDexie() });
  const properties = {
    key: { type: "string", maxLength: 64 },
    title: { type: "string" },
    description: { type: ["string", "null"] },
    completed: { type: "boolean" },
  };
  const schema = { version: 0, primaryKey: "key", type: "object", properties, required: ["key"] };
  const { tasks } = await database.addCollections({ tasks: { schema } });
  const address = `${new URLSearchParams(location.search).get("api")}/api/${encodeURIComponent(userId)}/tasks`;
  replicateTasks(tasks, todoApi(address, async () => (await auth("token")).token));

  tasks.find().$.subscribe((documents) => {
    const items = documents.map(({ title }) => Object.assign(document.createElement("li"), { textContent: title }));
    document.querySelector("#tasks").replaceChildren(...items);
  });
  document.querySelector("#add").onsubmit = (event) => {
    event.preventDefault();
    const title = new FormData(event.target).get("title");
    tasks.insert({ key: crypto.randomUUID(), title, description: null, completed: false });
  };
}

document.querySelector("#sign-in").onsubmit = async (event) => {
  event.preventDefault();
  const { user } = await auth("sign-in/email", Object.fromEntries(new FormData(event.target)));
  localStorage.setItem("user", user.id);
  await open(user.id);
};
if (localStorage.getItem("user")) await open(localStorage.getItem("user"));
