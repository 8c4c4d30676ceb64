// Fields, filters and orders with the generated TypeScript client; ends with an error where an answer is not as
// documented.
import { answered, api, check, equal, invalid, mine, pages, task, tasks, user_id, type ListQuery } from "./support.js";

// Every field
const pay = answered(
  await api.POST(tasks, {
    ...mine,
    body: { title: "pay", due: "2026-12-01T17:00", priority: 3, tags: ["home", "money", "home"] },
  }),
);
equal([pay.due, pay.priority, pay.tags, pay.completed_at], ["2026-12-01T17:00", 3, ["home", "money"], null]);
const wash = answered(await api.POST(tasks, { ...mine, body: { title: "wash", due: "2026-12-01", tags: ["home"] } }));
equal([wash.due, wash.priority, wash.tags], ["2026-12-01", 0, ["home"]]);
for (const body of [
  { title: "read", priority: 1, due: "2026-12-02" },
  { title: "nap", priority: 3 },
]) {
  answered(await api.POST(tasks, { ...mine, body }));
}

const path = { params: { path: { user_id, task_id: wash.id } } };
const done = answered(await api.PUT(task, { ...path, body: { completed: true, due: null, tags: [] } }));
equal([done.due, done.tags, done.completed_at], [null, [], done.updated_at]);
const reopened = answered(await api.PATCH("/api/{user_id}/tasks/{task_id}/complete", path));
equal([reopened.completed, reopened.completed_at], [false, null]);
const back = answered(await api.PUT(task, { ...path, body: { ...wash, completed: true } }));
equal([back.due, back.tags, back.completed], ["2026-12-01", ["home"], true]);
check(back.completed_at !== null && back.completed_at > back.created_at, "completed before it was created");

invalid(
  await api.POST(tasks, { ...mine, body: { title: "x", due: "2026-02-30", priority: 4, tags: Array(21).fill("x") } }),
  ["body.due", "date_parsing"],
  ["body.priority", "less_than_equal"],
  ["body.tags", "too_long"],
);
invalid(
  await api.GET(tasks, { params: { path: { user_id }, query: { tag: ["home", ""], priority: -1, due_to: "soon" } } }),
  ["query.tag.1", "string_too_short"],
  ["query.priority", "greater_than_equal"],
  ["query.due_to", "date_parsing"],
);

// Filters and orders, each over several pages
const lists: [ListQuery, string[]][] = [
  [{ tag: ["home"] }, ["wash", "pay"]],
  [{ tag: ["home", "money"] }, ["pay"]],
  [{ priority: 3 }, ["nap", "pay"]],
  [{ priority: 1 }, ["read"]],
  [{ due_from: "2026-12-02" }, ["read"]],
  [{ due_to: "2026-12-01" }, ["wash", "pay"]],
  [{ due_from: "2026-12-01", due_to: "2026-12-02", status: "pending", sort: "due" }, ["pay", "read"]],
  [{ status: "completed", tag: ["home"], priority: 0 }, ["wash"]],
  [{ sort: "-created" }, ["nap", "read", "wash", "pay"]],
  [{ sort: "created" }, ["pay", "wash", "read", "nap"]],
  [{ sort: "due" }, ["wash", "pay", "read", "nap"]],
  [{ sort: "-priority" }, ["nap", "pay", "read", "wash"]],
  [{ sort: "-updated" }, ["wash", "nap", "read", "pay"]],
];
for (const [query, titles] of lists) {
  const found = await pages({ ...query, limit: 1 });
  equal([query, found.map((page) => page.map(({ title }) => title))], [query, titles.map((title) => [title])]);
}
console.log("the whole round");
