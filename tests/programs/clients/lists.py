"""Fields, filters, orders with the generated Python client; ends with an error where an answer is not as documented."""

from datetime import date
from functools import partial

from support import Listing, answered, api, invalid, listing, pages, user_id
from todo_client.api.tasks import create_task, list_tasks, toggle_task, update_task
from todo_client.models import ListTasksSort, ListTasksStatus, ProblemType, Task, TaskCreate, TaskUpdate


def create(body: TaskCreate) -> Task:
    return answered(create_task.sync_detailed(user_id, client=api, body=body), Task, 201)


# Every field
pay = create(TaskCreate(title="pay", due="2026-12-01T17:00", priority=3, tags=["home", "money", "home"]))
assert (pay.due, pay.priority, pay.tags, pay.completed_at) == ("2026-12-01T17:00", 3, ["home", "money"], None)
wash = create(TaskCreate(title="wash", due="2026-12-01", tags=["home"]))
assert (wash.due, wash.priority, wash.tags) == ("2026-12-01", 0, ["home"])
create(TaskCreate(title="read", priority=1, due="2026-12-02"))
create(TaskCreate(title="nap", priority=3))

cleared = TaskUpdate(completed=True, due=None, tags=[])
done = answered(update_task.sync_detailed(user_id, wash.id, client=api, body=cleared), Task)
assert (done.due, done.tags, done.completed_at) == (None, [], done.updated_at)
reopened = answered(toggle_task.sync_detailed(user_id, wash.id, client=api), Task)
assert (reopened.completed, reopened.completed_at) == (False, None)
whole = TaskUpdate.from_dict({**wash.to_dict(), "completed": True})
back = answered(update_task.sync_detailed(user_id, wash.id, client=api, body=whole), Task)
assert (back.due, back.tags, back.completed) == ("2026-12-01", ["home"], True)
assert back.completed_at is not None
assert back.completed_at > back.created_at

wrong = TaskCreate(title="x", due="2026-02-30", priority=4, tags=["x"] * 21)
invalid(
    create_task.sync_detailed(user_id, client=api, body=wrong),
    ("body.due", ProblemType.DATE_PARSING),
    ("body.priority", ProblemType.LESS_THAN_EQUAL),
    ("body.tags", ProblemType.TOO_LONG),
)
invalid(
    list_tasks.sync_detailed(user_id, client=api, tag=["home", ""], priority=-1),
    ("query.tag.1", ProblemType.STRING_TOO_SHORT),
    ("query.priority", ProblemType.GREATER_THAN_EQUAL),
)

# Filters and orders, each over several pages
listing = partial(listing, limit=1)
first, second = date(2026, 12, 1), date(2026, 12, 2)
lists: list[tuple[Listing, list[str]]] = [
    (partial(listing, tag=["home"]), ["wash", "pay"]),
    (partial(listing, tag=["home", "money"]), ["pay"]),
    (partial(listing, priority=3), ["nap", "pay"]),
    (partial(listing, priority=1), ["read"]),
    (partial(listing, due_from=second), ["read"]),
    (partial(listing, due_to=first), ["wash", "pay"]),
    (
        partial(listing, due_from=first, due_to=second, status=ListTasksStatus.PENDING, sort=ListTasksSort.DUE),
        ["pay", "read"],
    ),
    (partial(listing, status=ListTasksStatus.COMPLETED, tag=["home"], priority=0), ["wash"]),
    (partial(listing, sort=ListTasksSort.CREATED_DESCENDING), ["nap", "read", "wash", "pay"]),
    (partial(listing, sort=ListTasksSort.CREATED), ["pay", "wash", "read", "nap"]),
    (partial(listing, sort=ListTasksSort.DUE), ["wash", "pay", "read", "nap"]),
    (partial(listing, sort=ListTasksSort.PRIORITY_DESCENDING), ["nap", "pay", "read", "wash"]),
    (partial(listing, sort=ListTasksSort.UPDATED_DESCENDING), ["wash", "nap", "read", "pay"]),
]
for filtered, titles in lists:
    assert [[task.title for task in page] for page in pages(filtered)] == [[title] for title in titles], filtered
print("the whole round")
