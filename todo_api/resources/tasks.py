"""Tasks of one user: list, create, read, update, delete, toggle."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, request

from todo_api import auth, store
from todo_api.api import Blueprint, json_response, no_content
from todo_api.db import Row
from todo_api.errors import ApiError
from todo_api.schemas import (
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
    description="The tasks of one user, open to that user's tokens alone",
    errors=(401, 403, 503),
)
blp.before_request(auth.authorize)


@blp.route("", methods=["GET"])
@blp.arguments(ListQuery, location="query")
@blp.response(200, TaskSchema(many=True))
def list_tasks(query: dict[str, Any], user_id: str) -> Response:
    """List tasks, newest first

    When there are more than `limit`, a `Link` header leads to the next page.
    """
    limit = query["limit"]
    rows = store.list_tasks(user_id, query["completed"], query["after"], limit + 1)
    response = json_response(tasks_json(rows[:limit]))
    if len(rows) > limit:
        response.headers["Link"] = f'<{_next_page(user_id, rows[limit - 1])}>; rel="next"'
    return response


@blp.route("", methods=["POST"])
@blp.arguments(TaskCreate)
@blp.response(201, TaskSchema)
def create_task(task: dict[str, Any], user_id: str) -> Response:
    """Create a task"""
    row = store.create_task(user_id, **task)
    return json_response(task_json(row), 201, {"Location": f"{_path(user_id)}/{row[0]}"})


@blp.route("/<task_id>", methods=["GET"])
@blp.arguments(TaskPath, location="path")
@blp.response(200, TaskSchema)
@blp.alt_response(404, "Error404")
def get_task(user_id: str, task_id: int) -> Response:
    """Get a task"""
    return _found(store.get_task(user_id, task_id), task_id)


@blp.route("/<task_id>", methods=["PUT"])
@blp.arguments(TaskPath, location="path")
@blp.arguments(TaskUpdate)
@blp.response(200, TaskSchema)
@blp.alt_response(404, "Error404")
def update_task(changes: dict[str, Any], user_id: str, task_id: int) -> Response:
    """Update the fields sent of a task"""
    return _found(store.update_task(user_id, task_id, changes), task_id)


@blp.route("/<task_id>", methods=["DELETE"])
@blp.arguments(TaskPath, location="path")
@blp.response(204)
@blp.alt_response(404, "Error404")
def delete_task(user_id: str, task_id: int) -> Response:
    """Delete a task"""
    if not store.delete_task(user_id, task_id):
        raise _not_found(task_id)
    return no_content()


@blp.route("/<task_id>/complete", methods=["PATCH"])
@blp.arguments(TaskPath, location="path")
@blp.response(200, TaskSchema)
@blp.alt_response(404, "Error404")
def toggle_task(user_id: str, task_id: int) -> Response:
    """Toggle whether a task is completed"""
    return _found(store.toggle_task(user_id, task_id), task_id)


def _found(row: Row | None, task_id: int) -> Response:
    if row is None:
        raise _not_found(task_id)
    return json_response(task_json(row))


def _not_found(task_id: int) -> ApiError:
    return ApiError(404, f"Task with id {task_id} not found")


def _path(user_id: str) -> str:
    """The list's own relative reference, never built from what the client sent as its host."""
    return f"/api/{quote(user_id, safe='')}/tasks"


def _next_page(user_id: str, last: Row) -> str:
    sent = {name: request.args.getlist(name)[-1] for name in ("status", "limit") if name in request.args}
    return f"{_path(user_id)}?{urlencode({**sent, 'cursor': cursor(last)})}"
