import { SyncManager } from "@signaldb/sync";

// Syncs collections of tasks, whose `id` is the task's key. SignalDB's changes do not say what they were made of: the
// last writer of a field wins.
export function tasksSyncManager(api, options) {
  const items = new Map(); // as the API last had them
  let since = 0, timer;

  async function pull() {
    const { changes, next } = await api.pull(since, () => items.keys());
    for (const { key, deleted, ...task } of changes) {
      if (deleted) items.delete(key);
      else items.set(key, { ...task, id: key });
    }
    since = next;
    return { items: [...items.values()] };
  }

  // Throws only where it makes sense to try again. What is refused is undone by the pull that follows.
  async function push(collection, { changes: { added, modified, removed } }) {
    const toEdit = (item, data) => ({ key: item.id, data, base: items.get(item.id) });
    const edits = [...added, ...modified].map((item) => toEdit(item, item));
    await api.push([...edits, ...removed.map((item) => toEdit(item))]);
  }

  function onError(collection, error) {
    clearTimeout(timer);
    timer = setTimeout(() => manager.sync(collection.name).catch(() => {}), 3000);
    options?.onError?.(collection, error);
  }

  const registerRemoteChange = async (collection, onChange) => api.watch(onChange);
  const manager = new SyncManager({ pull, push, registerRemoteChange, ...options, onError });
  return manager;
}
