"""The document of the operations' answers, without the examples: shared errors, links, conditional headers."""

from todo_api.platform.web.fields import OneOf
from todo_api.platform.web.headers import LINK
from todo_api.platform.web.openapi import ApiErrorSchema, ErrorAnswer
from todo_api.tasks import examples
from todo_api.tasks.schemas import TaskSchema
from todo_api.tasks.sync_schemas import TombstoneSchema


class ChangedSchema(ApiErrorSchema):
    """The task has changed: the condition of the request does not hold."""

    task = OneOf(TaskSchema)


class DeletedSchema(ApiErrorSchema):
    """The task is deleted."""

    task = OneOf(TombstoneSchema)


NOT_FOUND = ErrorAnswer(404, "NotFound", "This user has no such task.", {"No such task": "Task with id 999 not found"})
CHANGED = ErrorAnswer(
    412,
    "Changed",
    "The task has changed: it has no entity tag that `If-Match` lists.",
    {"Changed": "Task with id 1 has changed"},
    schema=ChangedSchema,
    members={"task": examples.COMPLETED_TASK},
)
DELETED = ErrorAnswer(
    410,
    "Deleted",
    "The key belongs to a task that is deleted.",
    {"Deleted": f"Task with key {examples.TASK['key']} is deleted"},
    schema=DeletedSchema,
    members={"task": examples.TOMBSTONE},
)
# Of this error only: in other answers `Link` leads to the next page.
START_AGAIN = {
    "description": 'Where the feed begins, as a relative reference with `rel="alternate"`.',
    "required": True,
    "schema": {"type": "string", "pattern": '^<[^>]+>; rel="alternate"$'},
    "example": '</api/alice/tasks/changes>; rel="alternate"',
}
FORGOTTEN = ErrorAnswer(
    410,
    "Forgotten",
    "What was deleted since the checkpoint is no longer known in full.",
    {"Start again": "Changes since 1768557600123 are no longer known: start again without since"},
    headers={LINK: START_AGAIN},
)
ERRORS = (NOT_FOUND, CHANGED, DELETED, FORGOTTEN)
# With an empty page that is answered at once although the client asked to wait.
WAIT_AGAIN = {
    "description": "Seconds before the client asks again: the server could not hold this one for as long as `wait`.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 5},
}
# What a client can do next with a task that it created.
_created = {"user_id": "$response.body#/user_id", "task_id": "$response.body#/id"}
LINKS = {
    name: {"operationId": name, "parameters": _created}
    for name in ("get_task", "update_task", "toggle_task", "delete_task")
}
CONDITIONAL = {
    name: {
        "in": "header",
        "name": name,
        "description": text,
        "schema": {"type": "string"},
        "examples": {"Any": {"value": "*"}, "This revision": {"value": f'"{examples.REVISION}"'}},
    }
    for name, text in (
        ("If-Match", "Do it only where the task has one of these entity tags; `*`: any."),
        ("If-None-Match", "Answer 304 where the task has one of these entity tags; `*`: any."),
    )
}
