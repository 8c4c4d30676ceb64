// A page with tasks in the browser's own database, for an API at the address `?api=…`. It is served by an app that also
// has Better Auth. It remembers who is signed in, so that it opens offline.
import { openTasks } from "./tasks.js";

async function auth(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/api/auth/${path}`, options);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function show(userId) {
  const address = new URLSearchParams(location.search).get("api");
  const tasks = await openTasks(userId, address, async () => (await auth("token")).token);
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
  await show(user.id);
};
if (localStorage.getItem("user")) await show(localStorage.getItem("user"));
