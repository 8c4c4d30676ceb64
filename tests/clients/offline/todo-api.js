export const FIELDS = ["title", "description", "completed", "due", "priority", "tags"]; // what a client writes
export const pick = (task, of = FIELDS) => Object.fromEntries(Object.entries(task).filter(([n]) => of.includes(n)));
const text = (value) => JSON.stringify(value ?? null);
export const edited = (task, base = {}) => Object.keys(pick(task)).filter((n) => text(task[n]) !== text(base[n]));
// An edit makes `data` of `base`; without `base` it creates a task, without `data` it deletes one. Each field is an
// operation by itself, so that a conflict in one refuses no other.
function toOperations({ key, data, base }) {
  if (!data) return [{ op: "delete", key, base: base && pick(base) }];
  if (!base) return [{ op: "put", key, data: pick(data), if_match: 0 }];
  const put = (name) => ({ op: "put", key, data: { ...pick(base), [name]: data[name] ?? null }, base: pick(base) });
  return edited(data, base).length ? edited(data, base).map(put) : [put("title")];
}
// For https://…/api/<user>/tasks. `getToken` gets a new token, `onRefused(result, operation)` what was not accepted.
export function todoApi(address, getToken, { onRefused = console.warn, limit = 1000 } = {}) {
  let token, seen = 0, revisions = new Map(); // the last revision that was read, and those of tasks that were written
  async function request(path, { end = [], ...options } = {}, isSecond = false) {
    token = (!isSecond && token) || (await getToken());
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const signal = AbortSignal.any([AbortSignal.timeout(60_000), ...end]);
    const response = await fetch(address + path, { ...options, headers, signal });
    if (response.status === 401 && !isSecond) return request(path, { end, ...options }, true);
    if (!response.ok && ![410, 413].includes(response.status)) throw new Error("No answer", { cause: response });
    const answer = response.ok ? await response.json() : {};
    seen = Math.max(seen, answer.next ?? 0);
    return { ...answer, status: response.status, pause: Number(response.headers.get("Retry-After")) };
  }
  // What changed since a revision; after a long absence all tasks, and those of `known()` that are gone.
  async function pull(since = 0, known = () => []) {
    const changes = new Map(since ? [] : [...(await known())].map((key) => [key, { key, deleted: true }]));
    const isNews = ({ key, revision }) => !(revisions.get(key) > revision); // no push was answered meanwhile
    for (let page = { next: 0, has_more: true }; ; ) {
      if (!page.has_more) return { changes: [...changes.values()].filter(isNews), next: page.next };
      page = await request(`/changes?${new URLSearchParams({ since, after: page.next, limit })}`);
      if (page.status === 410) return revisions.clear(), pull(0, known);
      for (const change of page.changes) changes.set(change.key, change);
    }
  }
  // Gives each edit's task as it now stands. Thirty operations fit into a request; a task too large for one is refused.
  async function push(edits, report = onRefused) {
    const [operations, half] = [edits.flatMap(toOperations), edits.length / 2];
    const options = { method: "POST", body: JSON.stringify({ operations }) };
    const { status, results } = operations.length > 30 ? { status: 413 } : await request("/batch", options);
    if (status === 413 && half < 1) return push([{ ...edits[0], data: { title: "" }, base: {} }], report);
    if (status === 413) return (await push(edits.slice(0, half), report)).concat(await push(edits.slice(half), report));
    results.forEach((result, index) => result.status < 300 || report(result, operations[index]));
    const tasks = new Map(results.map(({ task }, index) => [operations[index].key, task]));
    tasks.forEach((task, key) => revisions.set(key, task?.revision));
    return edits.map(({ key }) => tasks.get(key) ?? { key, deleted: true });
  }
  // Calls `sync` now, after each change made elsewhere, and after a failure again. Returns a function that ends it.
  function watch(sync, end = new AbortController()) {
    const wait = () => request(`/changes?since=${seen}&limit=1&wait=25`, { end: [end.signal] });
    const fail = () => ({ pause: 1 + 4 * Math.random() });
    const next = ({ changes, pause }) => end.signal.aborted || setTimeout(round, pause * 1000, changes?.length !== 0);
    const round = (isDue) => Promise.resolve(isDue).then((due) => due && sync()).then(wait).catch(fail).then(next);
    round(true);
    return () => end.abort();
  }
  return { pull, push, watch, onRefused };
}
