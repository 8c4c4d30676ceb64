"""The operations on a user's tasks."""

from typing import Any
from urllib.parse import quote

from flask import Response

from todo_api.auth.blueprint import UserBlueprint
from todo_api.platform.db.statements import Row
from todo_api.platform.web.components import ErrorAnswer
from todo_api.platform.web.errors import ApiError
from todo_api.platform.web.headers import LINK, LOCATION
from todo_api.platform.web.responses import json_response, link_to_next, no_content, page_of
from todo_api.tasks import examples, store
from todo_api.tasks.rendering import task_json, tasks_json
from todo_api.tasks.schemas import ListQuery, TaskCreate, TaskPath, TaskSchema, TaskUpdate, cursor

NOT_FOUND = ErrorAnswer(404, "NotFound", "This user has no such task.", {"No such task": "Task with id 999 not found"})
# What a client can do next with a task that it created.
_created = {"user_id": "$response.body#/user_id", "task_id": "$response.body#/id"}
LINKS = {
    name: {"operationId": name, "parameters": _created}
    for name in ("get_task", "update_task", "toggle_task", "delete_task")
}

blp = UserBlueprint("tasks", __name__, description="The tasks of one user, open to that user's tokens alone.")


@blp.route("", methods=["GET"])
@blp.arguments(ListQuery, location="query")
@blp.answers(200, "A page of tasks.", TaskSchema(many=True), example=examples.TASKS, headers=[LINK])
@blp.errors(invalid=examples.INVALID_LIST)
def list_tasks(query: dict[str, Any], user_id: str) -> Response:
    """List tasks, newest first

    All of the user's tasks, or the `pending` or `completed` ones. When there are more than `limit`, a `Link` header
    leads to the next page: follow it until an answer has none. Unknown parameters are ignored, and of one that is sent
    twice the last counts.
    """
    rows = store.list_tasks(user_id, query["completed"], query["after"], query["limit"] + 1)
    page, has_more = page_of(rows, query["limit"])
    response = json_response(tasks_json(user_id, page))
    if has_more:
        position = cursor(store.position_of(page[-1]))
        response.headers[LINK] = link_to_next(_path(user_id), ["status", "limit"], cursor=position)
    return response


@blp.route("", methods=["POST"])
@blp.arguments(TaskCreate, examples=examples.CREATE)
@blp.answers(201, "The new task.", TaskSchema, example=examples.TASK, headers=[LOCATION], links=LINKS)
@blp.errors(invalid=examples.INVALID_CREATE)
def create_task(fields: dict[str, Any], user_id: str) -> Response:
    """Create a task

    Only `title` is required. A call that was answered 503, or not at all, may have created the task: list before you
    try again, or there may be two.
    """
    row = store.create_task(user_id, fields)
    return json_response(task_json(user_id, row), 201, {LOCATION: f"{_path(user_id)}/{store.id_of(row)}"})


@blp.route("/<task_id>", methods=["GET"])
@blp.arguments(TaskPath, location="path")
@blp.answers(200, "The task.", TaskSchema, example=examples.TASK)
@blp.errors(NOT_FOUND, invalid=examples.INVALID_PATH)
def get_task(user_id: str, task_id: int) -> Response:
    """Get a task

    A task of another user is answered like one that never existed.
    """
    return _answer(user_id, task_id, store.get_task(user_id, task_id))


@blp.route("/<task_id>", methods=["PUT"])
@blp.arguments(TaskPath, location="path")
@blp.arguments(TaskUpdate, examples=examples.UPDATE)
@blp.answers(200, "The whole task, with its changes.", TaskSchema, example=examples.COMPLETED_TASK)
@blp.errors(NOT_FOUND, invalid=examples.INVALID_UPDATE)
def update_task(changes: dict[str, Any], user_id: str, task_id: int) -> Response:
    """Update the fields sent of a task

    Only the fields sent change; `"description": null` clears it. Any known field moves `updated_at` forward, even with
    the same value; `{}` leaves it. Safe to repeat.
    """
    return _answer(user_id, task_id, store.update_task(user_id, task_id, changes))


@blp.route("/<task_id>", methods=["DELETE"])
@blp.arguments(TaskPath, location="path")
@blp.answers(204, "The task is gone.")
@blp.errors(NOT_FOUND, invalid=examples.INVALID_PATH)
def delete_task(user_id: str, task_id: int) -> Response:
    """Delete a task

    For good. A second call is a 404, since the task is gone; its id is never used again.
    """
    if not store.delete_task(user_id, task_id):
        raise _not_found(task_id)
    return no_content()


@blp.route("/<task_id>/complete", methods=["PATCH"])
@blp.arguments(TaskPath, location="path")
@blp.answers(200, "The task, flipped.", TaskSchema, example=examples.COMPLETED_TASK)
@blp.errors(NOT_FOUND, invalid=examples.INVALID_PATH)
def toggle_task(user_id: str, task_id: int) -> Response:
    """Toggle whether a task is completed

    Atomic: however many clients call at once, each call flips `completed` once. So it is not safe to repeat; a client
    that knows what it wants sends `completed` in an update instead.
    """
    return _answer(user_id, task_id, store.toggle_task(user_id, task_id))


def _answer(user_id: str, task_id: int, row: Row | None) -> Response:
    if row is None:
        raise _not_found(task_id)
    return json_response(task_json(user_id, row))


def _not_found(task_id: int) -> ApiError:
    return ApiError(404, f"Task with id {task_id} not found")


def _path(user_id: str) -> str:
    """The list's relative reference, without the `Host` that the client sent."""
    return f"/api/{quote(user_id, safe='')}/tasks"
