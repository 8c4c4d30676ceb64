"""Keys and conditions with the generated Python client; ends with an error where an answer is not as documented."""

from http import HTTPStatus
from uuid import uuid4

from support import answered, api, list_path, refused, user_id
from todo_client.api.tasks import create_task, delete_task, get_task, toggle_task, update_task
from todo_client.models import Changed, Deleted, Task, TaskCreate, TaskUpdate

# Create with a key: sent again, it is the same task
key = str(uuid4())
first = create_task.sync_detailed(user_id, client=api, body=TaskCreate(title="Buy milk", key=key))
milk = answered(first, Task, 201)
assert milk.key == key
again = create_task.sync_detailed(user_id, client=api, body=TaskCreate(title="Buy tea", key=key))
assert answered(again, Task, 200) == milk
assert again.headers["Location"] == f"{list_path}/{milk.id}"

# Write only what nobody else has changed, and read only what is new
etag = first.headers["ETag"]
assert etag == f'"{milk.revision}"'
unchanged = get_task.sync_detailed(user_id, milk.id, client=api, if_none_match=etag)
assert (unchanged.status_code, unchanged.parsed) == (HTTPStatus.NOT_MODIFIED, None)
litres = TaskUpdate(description="Two litres")
edited = answered(update_task.sync_detailed(user_id, milk.id, client=api, body=litres, if_match=etag), Task)
assert edited.revision > milk.revision
assert get_task.sync(user_id, milk.id, client=api, if_none_match=etag) == edited
assert update_task.sync(user_id, milk.id, client=api, body=litres, if_match=etag) == edited
litre = TaskUpdate(description="One litre")
for answer in (
    update_task.sync_detailed(user_id, milk.id, client=api, body=litre, if_match=etag),
    toggle_task.sync_detailed(user_id, milk.id, client=api, if_match=etag),
    delete_task.sync_detailed(user_id, milk.id, client=api, if_match=etag),
):
    refused(answer, 412, f"Task with id {milk.id} has changed")
    assert answered(answer, Changed, 412).task == edited

# A key stays taken when its task is deleted
gone = delete_task.sync_detailed(user_id, milk.id, client=api, if_match=f'"{edited.revision}"')
assert gone.status_code == HTTPStatus.NO_CONTENT
dead = create_task.sync_detailed(user_id, client=api, body=TaskCreate(title="Buy milk", key=key))
refused(dead, 410, f"Task with key {key} is deleted")
tombstone = answered(dead, Deleted, 410).task
assert (tombstone.key, tombstone.deleted) == (key, True)
print("the whole round")
