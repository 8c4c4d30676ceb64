"""The operations on a user's tasks."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from todo_api.auth.blueprint import UserBlueprint
from todo_api.platform.db.statements import Row
from todo_api.platform.web.conditions import etag, if_match, is_known
from todo_api.platform.web.errors import api_error
from todo_api.platform.web.headers import ETAG, LINK, LOCATION
from todo_api.platform.web.responses import json_response, link_to_next, no_content
from todo_api.tasks import examples, store
from todo_api.tasks.answers import CHANGED, DELETED, IF_MATCH, IF_NONE_MATCH, LINKS, NOT_FOUND
from todo_api.tasks.listing import ListQuery, list_page
from todo_api.tasks.rendering import task_dict, task_json, tasks_json, tombstone_dict
from todo_api.tasks.schemas import TaskCreate, TaskPath, TaskSchema, TaskUpdate

# What the link to the next page repeats, besides the tags.
REPEATED = [field.data_key or name for name, field in ListQuery().fields.items() if name not in {"tags", "after"}]
OWN = "open to that user's tokens alone."
blp = UserBlueprint("tasks", __name__, path="tasks", description=f"The tasks of one user, {OWN}")


class TaskConverter(BaseConverter):
    """A path segment that may be a task's id: anything but the names of the other operations."""

    part_isolating = True
    regex = r"(?!(?:changes|batch)\Z)[^/]+"


blp.record_once(lambda state: state.app.url_map.converters.update(task=TaskConverter))


@blp.route("", methods=["GET"])
@blp.arguments(ListQuery, location="query")
@blp.answers(200, "A page of tasks.", TaskSchema(many=True), example=examples.TASKS, headers=[LINK])
@blp.errors(invalid=examples.INVALID_LIST)
def list_tasks(query: dict[str, Any], user_id: str) -> Response:
    """List tasks, newest first

    All of the user's tasks, or those that every filter lets through, in the order of `sort`. When there are more than
    `limit`, a `Link` header leads to the next page: follow it until an answer has none. Unknown parameters are ignored,
    and of one that is sent twice the last counts, but for `tag`: all of them count.
    """
    rows, cursor = list_page(user_id, **query)
    response = json_response(tasks_json(user_id, rows))
    if cursor:
        response.headers[LINK] = link_to_next(path_of(user_id), REPEATED, ["tag"], cursor=cursor)
    return response


@blp.route("", methods=["POST"])
@blp.arguments(TaskCreate, examples=examples.CREATE)
@blp.answers(201, "The new task.", TaskSchema, example=examples.TASK, headers=[LOCATION, ETAG], links=LINKS)
@blp.answers(200, "The task that has this key already.", TaskSchema, example=examples.TASK, headers=[LOCATION, ETAG])
@blp.errors(DELETED, invalid=examples.INVALID_CREATE)
def create_task(fields: dict[str, Any], user_id: str) -> Response:
    """Create a task

    Only `title` is required. With a `key` of the client's the call is safe to repeat: where this user has the key
    already, the answer is the task as it stands. Without one, a call that was answered 503, or not at all, may have
    created the task: list before you try again, or there may be two.
    """
    status, row = _create(user_id, fields)
    return _answer(user_id, row, status, {LOCATION: f"{path_of(user_id)}/{store.id_of(row)}"})


@blp.route("/<task:task_id>", methods=["GET"])
@blp.arguments(TaskPath, location="path")
@blp.answers(200, "The task.", TaskSchema, example=examples.TASK, headers=[ETAG])
@blp.answers(304, "The task still has an entity tag that `If-None-Match` lists.", headers=[ETAG])
@blp.errors(NOT_FOUND, invalid=examples.INVALID_PATH)
@blp.reads(IF_NONE_MATCH)
def get_task(user_id: str, task_id: int) -> Response:
    """Get a task

    A task of another user is answered like one that never existed.
    """
    row = store.get_task(user_id, task_id)
    if row is None:
        raise _not_found(task_id)
    if is_known(store.revision_of(row)):
        return Response(status=304, headers={ETAG: etag(store.revision_of(row))})
    return _answer(user_id, row)


@blp.route("/<task:task_id>", methods=["PUT"])
@blp.arguments(TaskPath, location="path")
@blp.arguments(TaskUpdate, examples=examples.UPDATE)
@blp.answers(200, "The whole task, with its changes.", TaskSchema, example=examples.COMPLETED_TASK, headers=[ETAG])
@blp.errors(NOT_FOUND, CHANGED, invalid=examples.INVALID_UPDATE)
@blp.reads(IF_MATCH)
def update_task(changes: dict[str, Any], user_id: str, task_id: int) -> Response:
    """Update the fields sent of a task

    Only the fields sent change; `"description": null` clears it. Any known field moves `updated_at` forward, even with
    the same value; `{}` leaves it. Safe to repeat, also with `If-Match`: where the task has changed but is already as
    wanted, the answer is 200.
    """
    row = store.update_task(user_id, task_id, changes, if_match()) if changes else store.get_task(user_id, task_id)
    return _answer(user_id, row or _as_wanted_or_refuse(user_id, task_id, changes))


@blp.route("/<task:task_id>", methods=["DELETE"])
@blp.arguments(TaskPath, location="path")
@blp.answers(204, "The task is gone.")
@blp.errors(NOT_FOUND, CHANGED, invalid=examples.INVALID_PATH)
@blp.reads(IF_MATCH)
def delete_task(user_id: str, task_id: int) -> Response:
    """Delete a task

    For good. A second call is a 404, since the task is gone; its id is never used again.
    """
    if not store.delete_task(user_id, task_id, if_match()):
        _as_wanted_or_refuse(user_id, task_id)
    return no_content()


@blp.route("/<task:task_id>/complete", methods=["PATCH"])
@blp.arguments(TaskPath, location="path")
@blp.answers(200, "The task, flipped.", TaskSchema, example=examples.COMPLETED_TASK, headers=[ETAG])
@blp.errors(NOT_FOUND, CHANGED, invalid=examples.INVALID_PATH)
@blp.reads(IF_MATCH)
def toggle_task(user_id: str, task_id: int) -> Response:
    """Toggle whether a task is completed

    Atomic: however many clients call at once, each call flips `completed` once. So it is not safe to repeat without
    `If-Match`; a client that knows what it wants sends `completed` in an update instead.
    """
    return _answer(user_id, store.toggle_task(user_id, task_id, if_match()) or _as_wanted_or_refuse(user_id, task_id))


def _answer(user_id: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    tag = {ETAG: etag(store.revision_of(row))}
    return json_response(task_json(user_id, row), status, {**headers, **tag} if headers else tag)


def _create(user_id: str, fields: Mapping[str, Any]) -> tuple[int, Row]:
    """201 and the new task, or 200 and the one that has its key. Raises HTTPException 410."""
    row = store.create_task(user_id, fields)
    if row is not None:
        return 201, row
    key = fields["key"]
    task, tombstone = store.get_by_key(user_id, key)
    if tombstone is not None:
        raise api_error(410, f"Task with key {key} is deleted", task=tombstone_dict(tombstone))
    # With neither, the tombstone that kept the key has just been purged.
    return (200, task) if task is not None else _create(user_id, fields)


def _as_wanted_or_refuse(user_id: str, task_id: int, wanted: Mapping[str, Any] | None = None) -> Row:
    """After a write that did nothing: the task, if it is as wanted already. Raises HTTPException 404 or 412."""
    row = store.get_task(user_id, task_id) if if_match() is not None else None
    if row is None:
        raise _not_found(task_id)
    task = task_dict(user_id, row)
    if wanted is None or any(task[name] != value for name, value in wanted.items()):
        raise api_error(412, f"Task with id {task_id} has changed", task=task)
    return row


def _not_found(task_id: int) -> HTTPException:
    return api_error(404, f"Task with id {task_id} not found")


def path_of(user_id: str) -> str:
    """The list's path, without a host: the client's `Host` is not to be trusted."""
    return f"/api/{quote(user_id, safe='')}/tasks"
