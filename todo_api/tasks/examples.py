"""The examples of the document: tasks, bodies, and the answers to invalid input, by their summaries."""

from typing import Any

from todo_api.platform.web import headers

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
COMPLETED = {"completed": True, "completed_at": UPDATED_AT}
COMPLETED_TASK = {**TASK, **COMPLETED, "updated_at": UPDATED_AT, "revision": LATER_REVISION}
PLAIN: dict[str, Any] = {"description": None, "due": None, "priority": 0, "tags": []}
TASKS = [{**TASK, **PLAIN, "id": 2, "key": "2", "title": "Bake bread"}, TASK]
TOMBSTONE = {"id": 1, "key": TASK["key"], "deleted": True, "deleted_at": UPDATED_AT, "revision": LATER_REVISION}
LINK_TO_NEXT = '</api/alice/tasks?limit=2&cursor=1768557600123456_41>; rel="next"'
HEADERS = {
    **headers.HEADERS,
    headers.LINK: {**headers.HEADERS[headers.LINK], "example": LINK_TO_NEXT},
    headers.LOCATION: {**headers.HEADERS[headers.LOCATION], "example": "/api/alice/tasks/42"},
}

CREATE = {
    "A title is enough": {"title": "Buy milk"},
    "Everything": {
        name: TASK[name] for name in ("key", "title", "description", "completed", "due", "priority", "tags")
    },
}
UPDATE = {
    "Rename": {"title": "Buy oat milk"},
    "Complete": {"completed": True},
    "Clear the description": {"description": None},
    "Due on a day, whenever then": {"due": "2026-12-01"},
}
CHANGES = {"changes": [TASK, {**TOMBSTONE, "id": 2, "key": "2"}], "next": LATER_REVISION, "has_more": False}
BATCH = {
    "Create, edit, delete": {
        "operations": [
            {"op": "put", "key": TASK["key"], "data": {"title": "Buy milk"}, "if_match": 0},
            {
                "op": "put",
                "key": "17",
                "data": {"title": "Buy oat milk", "completed": False},
                "base": {"title": "Buy milk", "completed": False},
            },
            {"op": "delete", "key": "18"},
        ]
    }
}
BATCH_RESULTS = {
    "results": [
        {"status": 201, "task": {**TASK, **PLAIN}},
        {"status": 412, "task": {**TASK, "id": 17, "key": "17"}, "detail": "Task with key 17 has changed"},
        {"status": 204, "task": None},
    ]
}


def _invalid(*problems: tuple[str, str, str]) -> dict[str, Any]:
    errors = [{"field": field, "message": message, "type": type_} for field, type_, message in problems]
    return {"detail": "Validation error", "errors": errors}


_NO_STATUS = ("query.status", "string_pattern_mismatch", "Input should be 'all', 'pending' or 'completed'")
_NOT_JSON = {"The body is not JSON": _invalid(("body", "json_invalid", "JSON decode error"))}
INVALID_PATH = {
    "The task's id is not an integer": _invalid(
        ("path.task_id", "int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    )
}
INVALID_LIST = {
    "No such status": _invalid(_NO_STATUS),
    "Too large a page": _invalid(("query.limit", "less_than_equal", "Input should be less than or equal to 1000")),
    "Several at once": _invalid(
        _NO_STATUS,
        ("query.limit", "int_parsing", "Input should be a valid integer, unable to parse string as an integer"),
        (
            "query.cursor",
            "string_pattern_mismatch",
            "Input should be a cursor from a Link header (^-?[0-9]{1,18}_[0-9]{1,19}$)",
        ),
    ),
}
INVALID_CREATE = {
    **_NOT_JSON,
    "The title is missing": _invalid(("body.title", "missing", "Field required")),
    "Several at once": _invalid(
        ("body.title", "string_too_short", "String should have at least 1 character"),
        ("body.completed", "bool_type", "Input should be a valid boolean"),
        ("body.due", "date_parsing", "Input should be a real date (YYYY-MM-DD), or date and time (…THH:MM)"),
        ("body.tags.1", "string_too_long", "String should have at most 50 characters"),
    ),
}
INVALID_UPDATE = {
    **INVALID_PATH,
    **_NOT_JSON,
    "The title is null": _invalid(("body.title", "string_type", "Input should be a valid string")),
    "Too long": _invalid(
        ("body.title", "string_too_long", "String should have at most 200 characters"),
        ("body.description", "string_too_long", "String should have at most 1000 characters"),
    ),
}
INVALID_CHANGES = {
    "Several at once": _invalid(
        ("query.since", "greater_than_equal", "Input should be greater than or equal to 0"),
        ("query.wait", "less_than_equal", "Input should be less than or equal to 25"),
    )
}
INVALID_BATCH = {
    **_NOT_JSON,
    "No operations": _invalid(("body.operations", "missing", "Field required")),
    "Too many": _invalid(
        ("body.operations", "too_long", "List should have at most 100 items after validation, not 101")
    ),
}
