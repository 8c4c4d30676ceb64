export const FIELDS = ["title", "description", "completed", "due", "priority", "tags"]; // what a client writes
export const pick = (task, of = FIELDS) => Object.fromEntries(Object.entries(task).filter(([n]) => of.includes(n)));
const text = (value) => JSON.stringify(value ?? null);
export const edited = (task, base = {}) => Object.keys(pick(task)).filter((n) => text(task[n]) !== text(base[n]));
// An edit makes `data` of `base`; without `base` it creates a task, without `data` it deletes one.
function toOperations({ key, data, base }) {
  if (!data) return [{ op: "delete", key, base: base && pick(base) }];
  if (!base) return [{ op: "put", key, data: pick(data), if_match: 0 }];
  const put = (name) => ({ op: "put", key, data: { ...pick(base), [name]: data[name] ?? null }, base: pick(base) });
  return edited(data, base).length ? edited(data, base).map(put) : [put("title")];
}
// For https://…/api/<user>/tasks. `getToken` gets a new token, `onRefused(result, operation)` what was not accepted.
export function todoApi(address, getToken, { onRefused = console.warn, limit = 1000 } = {}) {
  let token, seen = 0, time = 0; // the last revision that was read; how many pulls and pushes have begun
  const latest = new Map(); // by key: when a task was last read or answered, and as what
  async function request(path, { end = new AbortController(), ...options } = {}, isSecond = false) {
    token = (!isSecond && token) || (await getToken());
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const signal = AbortSignal.any([AbortSignal.timeout(60_000), end.signal]);
    const response = await fetch(address + path, { ...options, headers, signal });
    if (response.status === 401 && !isSecond) return request(path, { end, ...options }, true);
    if (!response.ok && ![410, 413].includes(response.status)) throw new Error("No answer", { cause: response });
    const answer = response.ok ? await response.json() : {};
    seen = Math.max(seen, answer.next ?? 0);
    return { ...answer, status: response.status, pause: Number(response.headers.get("Retry-After")) };
  }
  // Answers overtake each other: gives a task as a pull or push found it, or as another one did since it began.
  const newest = (start, next = Number.MAX_SAFE_INTEGER) => ([key, task = { key, deleted: true, revision: next }]) => {
    const [then, last] = latest.get(key) ?? [];
    return latest.set(key, then >= start && last.revision > task.revision ? [then, last] : [time, task]).get(key)[1];
  };
  // What changed since a revision; after a long absence all tasks, and those of `known()` that are gone.
  async function pull(since = 0, known = () => [], start = (time += 1)) {
    const changes = new Map(since ? [] : [...(await known())].map((key) => [key]));
    for (let page = { next: 0, has_more: true }; ; ) {
      if (!page.has_more) return { changes: [...changes].map(newest(start, page.next)), next: page.next };
      page = await request(`/changes?${new URLSearchParams({ since, after: page.next, limit })}`);
      if (page.status === 410) return pull(0, known);
      for (const change of page.changes) changes.set(change.key, change);
    }
  }
  // Gives each edit's task as it now stands. Thirty operations fit into a request; a task too large for one is refused.
  async function push(edits, report = onRefused) {
    const [operations, half, start] = [edits.flatMap(toOperations), edits.length / 2, (time += 1)];
    const options = { method: "POST", body: JSON.stringify({ operations }) };
    const { status, results } = operations.length > 30 ? { status: 413 } : await request("/batch", options);
    if (status === 413 && half < 1) return push([{ ...edits[0], data: { title: "" }, base: {} }], report);
    if (status === 413) return (await push(edits.slice(0, half), report)).concat(await push(edits.slice(half), report));
    results.forEach((result, n) => result.status < 300 || report(result, operations[n]));
    return [...new Map(results.map(({ task }, n) => [operations[n].key, task ?? undefined]))].map(newest(start));
  }
  // Calls `sync` now, after each change made elsewhere, and after a failure again. Returns a function that ends it.
  function watch(sync, end = new AbortController()) {
    const work = async (isDue) => (isDue && (await sync()), request(`/changes?since=${seen}&limit=1&wait=25`, { end }));
    const next = ({ changes, pause }) => end.signal.aborted || setTimeout(round, pause * 1000, changes?.length !== 0);
    const round = (isDue) => work(isDue).catch(() => ({ pause: 1 + 4 * Math.random() })).then(next);
    return round(true), () => end.abort();
  }
  return { pull, push, watch, onRefused };
}
