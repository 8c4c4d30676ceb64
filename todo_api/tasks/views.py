"""Tasks of one user: list, create, read, update, delete, toggle."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, request

from todo_api.auth import tokens as auth
from todo_api.platform.db.engine import Row
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.errors import ApiError
from todo_api.platform.web.responses import json_response, no_content
from todo_api.tasks import store
from todo_api.tasks.schemas import (
    COMPLETED_TASK,
    TASK,
    USER_PATH,
    ListQuery,
    TaskCreate,
    TaskPath,
    TaskSchema,
    TaskUpdate,
    cursor,
    task_json,
    tasks_json,
)

blp = Blueprint(
    "tasks",
    __name__,
    url_prefix="/api/<user_id>/tasks",
    description="The tasks of one user, open to that user's tokens alone.",
    parameters=[USER_PATH],
    errors=(401, 403, 500, 503),
)
blp.before_request(auth.authorize)


# What a client can do next with a task that it made.
_this_task = {"user_id": "$response.body#/user_id", "task_id": "$response.body#/id"}
LINKS = {
    name: {"operationId": name, "parameters": _this_task}
    for name in ("get_task", "update_task", "toggle_task", "delete_task")
}


@blp.route("", methods=["GET"])
@blp.arguments(ListQuery, location="query")
@blp.response(
    200,
    TaskSchema(many=True),
    description="A page of tasks; an empty one where there are none.",
    example=[{**TASK, "id": 2, "title": "Bake bread", "description": None}, TASK],
    headers=["Link"],
)
def list_tasks(query: dict[str, Any], user_id: str) -> Response:
    """List tasks, newest first

    All of the user's tasks, or the `pending` or `completed` ones. When there are more than `limit`, a `Link` header
    leads to the next page: follow it until an answer has none. Unknown parameters are ignored, and of one that is sent
    twice the last counts.
    """
    limit = query["limit"]
    rows = store.list_tasks(user_id, query["completed"], query["after"], limit + 1)
    response = json_response(tasks_json(user_id, rows[:limit]))
    if len(rows) > limit:
        response.headers["Link"] = f'<{_next_page(user_id, rows[limit - 1])}>; rel="next"'
    return response


@blp.route("", methods=["POST"])
@blp.arguments(TaskCreate)
@blp.response(201, TaskSchema, description="The new task.", example=TASK, headers=["Location"], links=LINKS)
def create_task(task: dict[str, Any], user_id: str) -> Response:
    """Create a task

    Only `title` is required. A call that was answered 503, or not at all, may have made the task: list before you try
    again, or there may be two.
    """
    row = store.create_task(user_id, **task)
    return json_response(task_json(user_id, row), 201, {"Location": f"{_path(user_id)}/{row[0]}"})


@blp.route("/<task_id>", methods=["GET"])
@blp.arguments(TaskPath, location="path")
@blp.response(200, TaskSchema, description="The task.", example=TASK)
@blp.errors(404)
def get_task(user_id: str, task_id: int) -> Response:
    """Get a task

    Another user's task is as unknown here as one that never was.
    """
    return _found(user_id, task_id, store.get_task(user_id, task_id))


@blp.route("/<task_id>", methods=["PUT"])
@blp.arguments(TaskPath, location="path")
@blp.arguments(TaskUpdate)
@blp.response(200, TaskSchema, description="The whole task, with its changes.", example=COMPLETED_TASK)
@blp.errors(404)
def update_task(changes: dict[str, Any], user_id: str, task_id: int) -> Response:
    """Update the fields sent of a task

    Only the fields sent change; `"description": null` clears it. Any known field moves `updated_at` forward, even with
    the same value; `{}` leaves it. Safe to repeat.
    """
    return _found(user_id, task_id, store.update_task(user_id, task_id, changes))


@blp.route("/<task_id>", methods=["DELETE"])
@blp.arguments(TaskPath, location="path")
@blp.response(204, description="The task is gone.")
@blp.errors(404)
def delete_task(user_id: str, task_id: int) -> Response:
    """Delete a task

    For good. A second call is a 404, since the task is gone; its id is never given again.
    """
    if not store.delete_task(user_id, task_id):
        raise _not_found(task_id)
    return no_content()


@blp.route("/<task_id>/complete", methods=["PATCH"])
@blp.arguments(TaskPath, location="path")
@blp.response(200, TaskSchema, description="The task, flipped.", example=COMPLETED_TASK)
@blp.errors(404)
def toggle_task(user_id: str, task_id: int) -> Response:
    """Toggle whether a task is completed

    Atomic: however many clients call at once, each call flips `completed` once. So it is not safe to repeat; a client
    that knows what it wants sends `completed` in an update instead.
    """
    return _found(user_id, task_id, store.toggle_task(user_id, task_id))


def _found(user_id: str, task_id: int, row: Row | None) -> Response:
    if row is None:
        raise _not_found(task_id)
    return json_response(task_json(user_id, row))


def _not_found(task_id: int) -> ApiError:
    return ApiError(404, f"Task with id {task_id} not found")


def _path(user_id: str) -> str:
    """The list's own relative reference, never built from what the client sent as its host."""
    return f"/api/{quote(user_id, safe='')}/tasks"


def _next_page(user_id: str, last: Row) -> str:
    sent = {name: request.args.getlist(name)[-1] for name in ("status", "limit") if name in request.args}
    return f"{_path(user_id)}?{urlencode({**sent, 'cursor': cursor(last)})}"
