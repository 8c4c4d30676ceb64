"""A whole round with the generated Python client; ends with an error where an answer is not as documented."""

from functools import partial
from http import HTTPStatus

from support import (
    address,
    answered,
    api,
    bearer,
    expired,
    invalid,
    list_path,
    listing,
    pages,
    refused,
    token,
    unavailable,
    user_id,
)
from todo_client import AuthenticatedClient, Client
from todo_client.api.health import database_health, health
from todo_client.api.index import index
from todo_client.api.tasks import create_task, delete_task, get_task, list_tasks, toggle_task, update_task
from todo_client.models import (
    DatabaseHealth,
    Health,
    Index,
    ListTasksStatus,
    ProblemType,
    Task,
    TaskCreate,
    TaskUpdate,
)

anonymous = Client(address, raise_on_unexpected_status=True)

with api:
    # Create
    ids: list[int] = []
    for title in ("one", "two", "three", "four", "five"):
        created = create_task.sync_detailed(user_id, client=api, body=TaskCreate(title=title))
        task = answered(created, Task, 201)
        assert (task.title, task.description, task.completed) == (title, None, False)
        assert created.headers["Location"] == f"{list_path}/{task.id}"
        ids.insert(0, task.id)

    # List, page by page
    seen = [[task.id for task in page] for page in pages(partial(listing, limit=2))]
    assert seen == [ids[:2], ids[2:4], ids[4:]]

    # Get, update, toggle, delete
    task_id = ids[0]
    assert get_task.sync(user_id, task_id, client=api) == task
    changes = TaskUpdate(description="Two litres")
    updated = update_task.sync(user_id, task_id, client=api, body=changes)
    assert isinstance(updated, Task)
    assert (updated.title, updated.description) == ("five", "Two litres")
    back = TaskUpdate.from_dict({**updated.to_dict(), "description": None})
    cleared = update_task.sync(user_id, task_id, client=api, body=back)
    assert isinstance(cleared, Task)
    assert cleared.description is None
    assert cleared.updated_at > updated.updated_at > task.updated_at
    toggled = toggle_task.sync(user_id, task_id, client=api)
    assert isinstance(toggled, Task)
    assert toggled.completed
    assert list_tasks.sync(user_id, client=api, status=ListTasksStatus.COMPLETED) == [toggled]
    assert delete_task.sync_detailed(user_id, task_id, client=api).status_code == HTTPStatus.NO_CONTENT

    # Each error
    basic = AuthenticatedClient(address, token, prefix="Basic")
    unnamed = list_tasks.sync_detailed(user_id, client=basic)
    refused(unnamed, 401, "Not authenticated")
    assert unnamed.headers["WWW-Authenticate"] == "Bearer"
    refused(list_tasks.sync_detailed(user_id, client=bearer(address, expired)), 401, "Token has expired")
    wrong = bearer(address, f"{token}x")
    refused(get_task.sync_detailed(user_id, 1, client=wrong), 401, "Invalid token: signature verification failed")
    theirs = list_tasks.sync_detailed("somebody else", client=api)
    refused(theirs, 403, "Access denied: You can only access your own resources")
    gone = f"Task with id {task_id} not found"
    refused(get_task.sync_detailed(user_id, task_id, client=api), 404, gone)
    refused(update_task.sync_detailed(user_id, task_id, client=api, body=changes), 404, gone)
    refused(toggle_task.sync_detailed(user_id, task_id, client=api), 404, gone)
    refused(delete_task.sync_detailed(user_id, task_id, client=api), 404, gone)
    refused(
        create_task.sync_detailed(user_id, client=api, body=TaskCreate(title="x" * 2**20)), 413, "Content Too Large"
    )
    encoded = AuthenticatedClient(address, token, headers={"Content-Encoding": "br"})
    unread = create_task.sync_detailed(user_id, client=encoded, body=TaskCreate(title="x"))
    refused(unread, 415, "Unsupported Media Type")
    untitled = create_task.sync_detailed(user_id, client=api, body=TaskCreate(title=""))
    invalid(untitled, ("body.title", ProblemType.STRING_TOO_SHORT))
    page = list_tasks.sync_detailed(user_id, client=api, limit=0, cursor="")
    invalid(
        page, ("query.limit", ProblemType.GREATER_THAN_EQUAL), ("query.cursor", ProblemType.STRING_PATTERN_MISMATCH)
    )
    down = create_task.sync_detailed(user_id, client=bearer(unavailable, token), body=TaskCreate(title="x"))
    refused(down, 503, "Service Unavailable")
    assert down.headers["Retry-After"] == "1"

# Health
assert isinstance(health.sync(client=anonymous), Health)
ready = database_health.sync(client=anonymous)
assert isinstance(ready, DatabaseHealth)
assert ready.database == "connected"
unready = database_health.sync_detailed(client=Client(unavailable))
assert unready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
assert isinstance(unready.parsed, DatabaseHealth)
assert unready.parsed.database == "disconnected"
found = index.sync(client=anonymous)
assert isinstance(found, Index)
assert found.links["openapi"] == "/openapi.json"
print("the whole round")
