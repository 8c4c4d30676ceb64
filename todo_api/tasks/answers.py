"""The document of the operations' answers, without the examples: shared errors, links, conditional headers."""

from collections.abc import Mapping
from typing import Any

from todo_api.platform.web.fields import OneOf
from todo_api.platform.web.headers import LINK
from todo_api.platform.web.openapi import ApiErrorSchema, ErrorAnswer
from todo_api.tasks import examples
from todo_api.tasks.schemas import TaskSchema
from todo_api.tasks.sync_schemas import TombstoneSchema


class ChangedSchema(ApiErrorSchema):
    """The task has changed: it has no entity tag that `If-Match` lists."""

    task = OneOf(TaskSchema)


class DeletedSchema(ApiErrorSchema):
    """The key belongs to a task that is deleted."""

    task = OneOf(TombstoneSchema)


def _with_task(status: int, schema: type[ApiErrorSchema], detail: str, task: Mapping[str, Any]) -> ErrorAnswer:
    name = schema.__name__.removesuffix("Schema")
    return ErrorAnswer(status, name, schema.__doc__ or "", {name: detail}, schema=schema, members={"task": task})


NOT_FOUND = ErrorAnswer(404, "NotFound", "This user has no such task.", {"No such task": "Task with id 999 not found"})
CHANGED = _with_task(412, ChangedSchema, "Task with id 1 has changed", examples.COMPLETED_TASK)
DELETED = _with_task(410, DeletedSchema, f"Task with key {examples.TASK['key']} is deleted", examples.TOMBSTONE)
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
_operations = ("get_task", "update_task", "toggle_task", "delete_task")
LINKS = {name: {"operationId": name, "parameters": _created} for name in _operations}


def _condition(name: str, description: str) -> dict[str, Any]:
    """A request's header, for the document."""
    values = {"Any": {"value": "*"}, "This revision": {"value": f'"{examples.REVISION}"'}}
    schema = {"type": "string"}
    return {"in": "header", "name": name, "description": description, "schema": schema, "examples": values}


IF_MATCH = _condition("If-Match", "Do it only where the task has one of these entity tags; `*`: any.")
IF_NONE_MATCH = _condition("If-None-Match", "Answer 304 where the task has one of these entity tags; `*`: any.")
