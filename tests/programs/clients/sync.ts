// Sync with the generated TypeScript client; ends with an error where an answer is not as documented.
import {
  address,
  answered,
  api,
  check,
  client,
  equal,
  forgotten,
  invalid,
  listPath,
  mine,
  refused,
  tasks,
  user_id,
  type Schemas,
} from "./support.js";

type Operation = Schemas["Operation"];
type Result = Schemas["BatchResult"]["results"][number];
type Task = Schemas["Task"];

const changes = "/api/{user_id}/tasks/changes";
const batch = "/api/{user_id}/tasks/batch";

// Push
async function push(...operations: Operation[]): Promise<Result[]> {
  return answered(await api.POST(batch, { ...mine, body: { operations } })).results;
}

// What an app makes of a result. The compiler sees that no status is left out, and what each has.
function outcome(result: Result): string {
  switch (result.status) {
    case 200:
      return "deleted" in result.task ? `deleted ${result.task.key}` : `stored ${result.task.title}`;
    case 201:
      return `created ${result.task.title}`;
    case 204:
      return `nothing to delete: ${result.task}`;
    case 404:
      return result.detail;
    case 410:
      return `${result.detail}: ${result.task.key}`;
    case 412:
      return `${result.detail}: ${result.task?.title ?? "no task"}`;
    case 422:
      return result.errors.map(({ field, type }) => `${field} ${type}`).join(", ");
  }
}

const bread: Operation = { op: "put", key: "bread", if_match: 0, data: { title: "Bake bread" } };
const base = { title: "Bake bread" };
const results = await push(
  bread,
  bread,
  { op: "put", key: "bread", data: { priority: 2 } },
  { op: "put", key: "bread", data: { title: "Bake a cake" }, base },
  { op: "put", key: "bread", data: { title: "Bake rolls" }, base },
  { op: "put", key: "bread", data: { title: "", tags: ["home", ""] } },
  { op: "put", key: "never seen", data: {} },
  { op: "put", key: "unknown", data: { title: "x" }, if_match: 5 },
  { op: "put", key: "999999999", data: { title: "x" } },
  { op: "delete", key: "bread", if_match: 1 },
  { op: "delete", key: "bread", base: { title: "Bake a cake" } },
  { op: "delete", key: "bread" },
  bread,
);
equal(results.map(outcome), [
  "created Bake bread",
  "stored Bake bread",
  "stored Bake bread",
  "stored Bake a cake",
  "Task with key bread has changed: Bake a cake",
  "data.title string_too_short, data.tags.1 string_too_short",
  "key string_pattern_mismatch",
  "Task with key unknown has changed: no task",
  "Task with id 999999999 not found",
  "Task with key bread has changed: Bake a cake",
  "deleted bread",
  "nothing to delete: null",
  "Task with key bread is deleted: bread",
]);
const [merged] = results.slice(3);
check(merged?.status === 200 && "title" in merged.task, "not stored");
equal([merged.task.title, merged.task.priority], ["Bake a cake", 2]);
const operations = Array.from({ length: 101 }, () => bread);
invalid(await api.POST(batch, { ...mine, body: { operations } }), ["body.operations", "too_long"]);

// Pull, page by page, into a store that then holds what the service lists
const store = new Map<string, Task>();

async function pull(since: number): Promise<{ next: number; sizes: number[] }> {
  for (let after = 0, sizes: number[] = []; ; ) {
    const answer = await api.GET(changes, { params: { path: { user_id }, query: { since, after, limit: 2 } } });
    const page = answered(answer);
    for (const change of page.changes) {
      if ("deleted" in change) store.delete(change.key);
      else store.set(change.key, change);
    }
    sizes.push(page.changes.length);
    const link = `<${listPath}/changes?since=${since}&limit=2&after=${page.next}>; rel="next"`;
    equal(answer.response.headers.get("Link"), page.has_more ? link : null);
    if (!page.has_more) return { next: page.next, sizes };
    check(page.next > after, "the next page is the same");
    after = page.next;
  }
}

async function isInSync(): Promise<void> {
  const stored = [...store.values()].sort((one, other) => other.id - one.id);
  equal(stored, answered(await api.GET(tasks, mine)));
}

await push(...["one", "two", "three", "four"].map((key): Operation => ({ op: "put", key, data: { title: key } })));
const initial = await pull(0);
equal(initial.sizes, [2, 2]);
await isInSync();
await push(
  { op: "delete", key: "one" },
  { op: "put", key: "two", data: { completed: true } },
  { op: "delete", key: "four" },
);
const later = await pull(initial.next);
equal([later.sizes, [...store.keys()].sort()], [[2, 1], ["three", "two"]]);
await isInSync();

// Wait: the answer comes with the change that another client makes
const waiting = api.GET(changes, { params: { path: { user_id }, query: { since: later.next, wait: 25 } } });
answered(await client(address).GET("/health")); // meanwhile, so that the wait has begun
const news = answered(await api.POST(tasks, { ...mine, body: { title: "news" } }));
equal(answered(await waiting), { changes: [news], next: news.revision, has_more: false });

// A checkpoint from too long ago leads back to the start
const lost = await api.GET(changes, { params: { path: { user_id }, query: { since: Number(forgotten) } } });
refused(lost, 410, `Changes since ${forgotten} are no longer known: start again without since`);
equal(lost.response.headers.get("Link"), `<${listPath}/changes>; rel="alternate"`);
store.clear();
equal((await pull(0)).next, news.revision);
await isInSync();
console.log("the whole round");
