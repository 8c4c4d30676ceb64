"""Sync with the generated Python client; ends with an error where an answer is not as documented."""

from concurrent.futures import ThreadPoolExecutor

from httpx import Timeout
from support import address, answered, api, forgotten, invalid, list_path, refused, user_id
from todo_client import Client
from todo_client.api.health import health
from todo_client.api.sync import list_changes, write_batch
from todo_client.api.tasks import create_task, list_tasks
from todo_client.models import (
    Batch,
    BatchResult,
    Changes,
    Created,
    InvalidOperation,
    NothingToDelete,
    Operation,
    OperationOp,
    ProblemType,
    Task,
    TaskChanged,
    TaskCreate,
    TaskDeleted,
    TaskNotFound,
    TaskUpdate,
    Tombstone,
    Written,
)

Result = Created | InvalidOperation | NothingToDelete | TaskChanged | TaskDeleted | TaskNotFound | Written
PUT, DELETE = OperationOp.PUT, OperationOp.DELETE


# Push
def push(*operations: Operation) -> list[Result]:
    answer = write_batch.sync_detailed(user_id, client=api, body=Batch(list(operations)))
    return answered(answer, BatchResult).results


def outcome(result: Result) -> str:
    """What an app makes of a result. mypy sees that none is left out, and what each has."""
    match result:
        case Written():
            if isinstance(result.task, Tombstone):
                return f"deleted {result.task.key}"
            return f"stored {result.task.title}"
        case Created():
            return f"created {result.task.title}"
        case NothingToDelete():
            return f"nothing to delete: {result.task}"
        case TaskNotFound():
            return result.detail
        case TaskDeleted():
            return f"{result.detail}: {result.task.key}"
        case TaskChanged():
            return f"{result.detail}: {result.task.title if result.task else 'no task'}"
        case InvalidOperation():
            return ", ".join(f"{problem.field} {problem.type_}" for problem in result.errors)


bread = Operation(PUT, "bread", if_match=0, data=TaskUpdate(title="Bake bread"))
base = TaskUpdate(title="Bake bread")
results = push(
    bread,
    bread,
    Operation(PUT, "bread", data=TaskUpdate(priority=2)),
    Operation(PUT, "bread", data=TaskUpdate(title="Bake a cake"), base=base),
    Operation(PUT, "bread", data=TaskUpdate(title="Bake rolls"), base=base),
    Operation(PUT, "bread", data=TaskUpdate(title="", tags=["home", ""])),
    Operation(PUT, "never seen", data=TaskUpdate()),
    Operation(PUT, "unknown", data=TaskUpdate(title="x"), if_match=5),
    Operation(PUT, "999999999", data=TaskUpdate(title="x")),
    Operation(DELETE, "bread", if_match=1),
    Operation(DELETE, "bread", base=TaskUpdate(title="Bake a cake")),
    Operation(DELETE, "bread"),
    bread,
)
assert list(map(outcome, results)) == [
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
    "nothing to delete: None",
    "Task with key bread is deleted: bread",
], results
merged = results[3]
assert isinstance(merged, Written)
assert isinstance(merged.task, Task)
assert (merged.task.title, merged.task.priority) == ("Bake a cake", 2)
too_many = write_batch.sync_detailed(user_id, client=api, body=Batch(operations=[bread] * 101))
invalid(too_many, ("body.operations", ProblemType.TOO_LONG))

# Pull, page by page, into a store that then holds what the service lists
store: dict[str, Task] = {}


def pull(since: int) -> tuple[int, list[int]]:
    after, sizes = 0, []
    while True:
        answer = list_changes.sync_detailed(user_id, client=api, since=since, after=after, limit=2)
        page = answered(answer, Changes)
        for change in page.changes:
            if isinstance(change, Tombstone):
                store.pop(change.key, None)
            else:
                store[change.key] = change
        sizes.append(len(page.changes))
        link = f'<{list_path}/changes?since={since}&limit=2&after={page.next_}>; rel="next"'
        assert answer.headers.get("Link") == (link if page.has_more else None)
        if not page.has_more:
            return page.next_, sizes
        assert page.next_ > after
        after = page.next_


def is_in_sync() -> bool:
    return sorted(store.values(), key=lambda task: -task.id) == list_tasks.sync(user_id, client=api)


push(*(Operation(PUT, key, data=TaskUpdate(title=key)) for key in ("one", "two", "three", "four")))
checkpoint, sizes = pull(0)
assert sizes == [2, 2]
assert is_in_sync()
push(Operation(DELETE, "one"), Operation(PUT, "two", data=TaskUpdate(completed=True)), Operation(DELETE, "four"))
checkpoint, sizes = pull(checkpoint)
assert (sizes, set(store)) == ([2, 1], {"two", "three"})
assert is_in_sync()

# Wait: the answer comes with the change that another client makes; by itself the client gives up after 5 seconds
patient = api.with_timeout(Timeout(30))
with ThreadPoolExecutor() as pool:
    waiting = pool.submit(list_changes.sync_detailed, user_id, client=patient, since=checkpoint, wait=25)
    health.sync(client=Client(address))  # meanwhile, so that the wait has begun
    news = answered(create_task.sync_detailed(user_id, client=api, body=TaskCreate(title="news")), Task, 201)
    assert answered(waiting.result(), Changes) == Changes([news], news.revision, has_more=False)

# A checkpoint from too long ago leads back to the start
lost = list_changes.sync_detailed(user_id, client=api, since=int(forgotten))
refused(lost, 410, f"Changes since {forgotten} are no longer known: start again without since")
assert lost.headers["Link"] == f'<{list_path}/changes>; rel="alternate"'
store.clear()
checkpoint, _ = pull(0)
assert checkpoint == news.revision
assert is_in_sync()
print("the whole round")
