"""The examples of the document: tasks, bodies, and the answers to invalid input, by their summaries."""

from typing import Any

from todo_api.platform.web import headers
from todo_api.platform.web.errors import INVALID, as_errors, problem

CREATED_AT = "2026-01-16T10:00:00.123456Z"
UPDATED_AT = "2026-01-16T17:30:00.654321Z"
REVISION, LATER_REVISION = 1768557600123, 1768584600654
TASK = {
    "id": 1,
    "key": "0f8c2b1e-5d4a-4c6f-9b1e-3a7d20c4e911",
    "user_id": "alice",
    "title": "Buy milk",
    "description": "Two litres",
    "completed": False,
    "due": "2026-12-01T17:00",
    "priority": 2,
    "tags": ["home", "shop"],
    "completed_at": None,
    "created_at": CREATED_AT,
    "updated_at": CREATED_AT,
    "revision": REVISION,
}
LATER = {"completed_at": UPDATED_AT, "updated_at": UPDATED_AT, "revision": LATER_REVISION}
COMPLETED_TASK = {**TASK, "completed": True, **LATER}
PLAIN: dict[str, Any] = {"description": None, "due": None, "priority": 0, "tags": []}
TASKS = [{**TASK, **PLAIN, "id": 2, "key": "2", "title": "Bake bread"}, TASK]
TOMBSTONE = {"id": 1, "key": TASK["key"], "deleted": True, "deleted_at": UPDATED_AT, "revision": LATER_REVISION}
_PLACES = {
    headers.LINK: '</api/alice/tasks?limit=2&cursor=1768557600123456_41>; rel="next"',
    headers.LOCATION: "/api/alice/tasks/42",
}
HEADERS = headers.HEADERS | {name: {**headers.HEADERS[name], "example": place} for name, place in _PLACES.items()}

_WRITTEN = ("key", "title", "description", "completed", "due", "priority", "tags")
CREATE = {"A title is enough": {"title": "Buy milk"}, "Everything": {name: TASK[name] for name in _WRITTEN}}
UPDATE = {
    "Rename": {"title": "Buy oat milk"},
    "Complete": {"completed": True},
    "Clear the description": {"description": None},
    "Due on a day, whenever then": {"due": "2026-12-01"},
}
CHANGES = {"changes": [TASK, {**TOMBSTONE, "id": 2, "key": "2"}], "next": LATER_REVISION, "has_more": False}
_SEEN = {"title": "Buy milk", "completed": False}
_EDIT = {"op": "put", "key": "17", "data": {**_SEEN, "title": "Buy oat milk"}, "base": _SEEN}
_CREATE = {"op": "put", "key": TASK["key"], "data": {"title": "Buy milk"}, "if_match": 0}
BATCH = {"Create, edit, delete": {"operations": [_CREATE, _EDIT, {"op": "delete", "key": "18"}]}}
_CREATED, _NOTHING = {"status": 201, "task": {**TASK, **PLAIN}}, {"status": 204, "task": None}
_CONFLICT = {"status": 412, "task": {**TASK, "id": 17, "key": "17"}, "detail": "Task with key 17 has changed"}
BATCH_RESULTS = {"results": [_CREATED, _CONFLICT, _NOTHING]}


def _invalid(*problems: tuple[Any, ...]) -> dict[str, Any]:
    """The answer to problems: of each the field, the type, and the values in its message."""
    return {"detail": INVALID, "errors": as_errors((field, problem(*reason)) for field, *reason in problems)}


_NO_STATUS = ("query.status", "string_pattern_mismatch", "'all', 'pending' or 'completed'")
_NO_CURSOR = ("query.cursor", "string_pattern_mismatch", "a cursor from a Link header (^-?[0-9]{1,18}_[0-9]{1,19}$)")
_NOT_JSON = {"The body is not JSON": _invalid(("body", "json_invalid"))}
INVALID_PATH = {"The task's id is not an integer": _invalid(("path.task_id", "int_parsing"))}
INVALID_LIST = {
    "No such status": _invalid(_NO_STATUS),
    "Too large a page": _invalid(("query.limit", "less_than_equal", 1000)),
    "Several at once": _invalid(_NO_STATUS, ("query.limit", "int_parsing"), _NO_CURSOR),
}
INVALID_CREATE = {
    **_NOT_JSON,
    "The title is missing": _invalid(("body.title", "missing")),
    "Several at once": _invalid(
        ("body.title", "string_too_short", "1 character"),
        ("body.completed", "bool_type"),
        ("body.due", "date_parsing", "a real date (YYYY-MM-DD), or date and time (…THH:MM)"),
        ("body.tags.1", "string_too_long", "50 characters"),
    ),
}
INVALID_UPDATE = {
    **INVALID_PATH,
    **_NOT_JSON,
    "The title is null": _invalid(("body.title", "string_type")),
    "Too long": _invalid(
        ("body.title", "string_too_long", "200 characters"), ("body.description", "string_too_long", "1000 characters")
    ),
}
INVALID_CHANGES = {
    "Several at once": _invalid(("query.since", "greater_than_equal", 0), ("query.wait", "less_than_equal", 25))
}
INVALID_BATCH = {
    **_NOT_JSON,
    "No operations": _invalid(("body.operations", "missing")),
    "Too many": _invalid(("body.operations", "too_long", 100, 101)),
}
