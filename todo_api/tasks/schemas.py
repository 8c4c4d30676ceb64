"""What comes in and what goes out: marshmallow schemas that load input, document both, and render rows as JSON."""

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from todo_api.tasks.model import DESCRIPTION_LENGTH, TITLE_LENGTH, USER_ID_LENGTH
from todo_api.tasks.rendering import cursor, task_json, tasks_json
from todo_api.tasks.values import (
    CURSOR_PATTERN,
    STATUSES,
    STORABLE_PATTERN,
    Cursor,
    Flag,
    IntegerText,
    Length,
    Range,
    Status,
    Text,
    Timestamp,
)

__all__ = [
    "COMPLETED_TASK",
    "TASK",
    "USER_PATH",
    "DatabaseHealthSchema",
    "HealthSchema",
    "IndexSchema",
    "ListQuery",
    "TaskCreate",
    "TaskPath",
    "TaskSchema",
    "TaskUpdate",
    "cursor",
    "task_json",
    "tasks_json",
]

PAGE_LIMIT = 1000


class Input(Schema):
    """What comes in. The document shows both by their summaries; what is answered to the mistakes it finds out."""

    EXAMPLES: Mapping[str, Any] = {}
    MISTAKES: Mapping[str, Any] = {}

    class Meta:
        unknown = EXCLUDE

    @classmethod
    def names(cls) -> list[str]:
        """Of the fields as they are sent, in order."""
        return [field.data_key or name for name, field in cls._declared_fields.items()]


class TaskPath(Input):
    task_id = IntegerText(
        required=True,
        metadata={
            "description": "The task's `id`. A number that is no id of this user's tasks, however large, is a 404.",
            "format": "int64",
            "minimum": 1,
            "examples": [1],
        },
    )

    MISTAKES = {"The task's id is no integer": {"task_id": "first"}}


class ListQuery(Input):
    completed = Status(
        data_key="status",
        load_default=None,
        allow_none=False,
        metadata={"description": "Which tasks to list.", "enum": list(STATUSES), "default": "all"},
    )
    limit = IntegerText(
        load_default=PAGE_LIMIT,
        validate=Range(1, PAGE_LIMIT),
        metadata={"description": "How many tasks a page holds at most.", "default": PAGE_LIMIT},
    )
    after = Cursor(
        data_key="cursor",
        load_default=None,
        allow_none=False,
        metadata={
            "type": "string",
            "description": "Where the page begins, from the `Link` header of the one before; unset: at the newest.",
            "pattern": CURSOR_PATTERN,
            "examples": ["1768557600123456_41"],
        },
    )

    MISTAKES = {
        "No such status": {"status": "done"},
        "Too large a page": {"limit": str(PAGE_LIMIT + 1)},
        "Several at once": {"status": "done", "limit": "ten", "cursor": "2"},
    }


USER_ID: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": USER_ID_LENGTH,
    "pattern": r"^[^/\u0000]*$",
    "examples": ["alice"],
}
USER_PATH = {
    "in": "path",
    "name": "user_id",
    "description": "Whose tasks: the subject of the token, as the identity provider issued it, percent-encoded.",
    "schema": USER_ID,
}
_title = {
    "description": "What is to be done, exactly as it was sent.",
    "examples": ["Buy milk"],
    "pattern": STORABLE_PATTERN,
}
_description = {
    "description": "More about it, exactly as it was sent; `null` for nothing.",
    "examples": ["Two litres"],
    "pattern": STORABLE_PATTERN,
}
_completed = {"description": "Whether it is done."}
TASK = {
    "id": 1,
    "user_id": "alice",
    "title": "Buy milk",
    "description": "Two litres",
    "completed": False,
    "created_at": "2026-01-16T10:00:00.123456Z",
    "updated_at": "2026-01-16T10:00:00.123456Z",
}
COMPLETED_TASK = {**TASK, "completed": True, "updated_at": "2026-01-16T17:30:00.654321Z"}


class TaskCreate(Input):
    """A task to be made. Unknown and read-only fields (`id`, `user_id`, the times) are ignored."""

    title = Text(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = Text(
        load_default=None,
        allow_none=True,
        validate=Length(max=DESCRIPTION_LENGTH),
        metadata={**_description, "description": "More about it; `null`, or nothing sent, for nothing."},
    )
    completed = Flag(load_default=False, metadata={"description": "Whether it is done; not, when nothing is sent."})

    EXAMPLES = {
        "A title is enough": {"title": "Buy milk"},
        "Everything": {"title": "Buy milk", "description": "Two litres", "completed": False},
    }
    MISTAKES = {
        "The title is missing": {"description": "Two litres"},
        "Several at once": {"title": "", "completed": "no"},
    }


class TaskUpdate(Input):
    """The fields of a task to change; what is not sent stays.

    Unknown and read-only fields (`id`, `user_id`, the times) are ignored, so a whole task can be sent back.
    """

    title = Text(validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = Text(allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description)
    completed = Flag(metadata=_completed)

    EXAMPLES = {
        "Rename": {"title": "Buy oat milk"},
        "Complete": {"completed": True},
        "Clear the description": {"description": None},
    }
    MISTAKES = {
        "The title is null": {"title": None},
        "Too long": {"title": "x" * (TITLE_LENGTH + 1), "description": "x" * (DESCRIPTION_LENGTH + 1)},
    }


def _time(description: str, example: object) -> dict[str, Any]:
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"
    return {"description": description, "pattern": pattern, "examples": [example]}


class TaskSchema(Schema):
    """A task as it is stored."""

    id = fields.Integer(
        required=True,
        metadata={
            "description": "Given by the service, and never given again.",
            "format": "int64",
            "minimum": 1,
            "examples": [TASK["id"]],
        },
    )
    user_id = fields.String(required=True, metadata={**USER_ID, "description": "Whose it is."})
    title = fields.String(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = fields.String(
        required=True, allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description
    )
    completed = fields.Boolean(required=True, metadata=_completed)
    created_at = Timestamp(required=True, metadata=_time("When it was made; never moves.", TASK["created_at"]))
    updated_at = Timestamp(
        required=True,
        metadata=_time("When it last changed; moves strictly forward with each change.", COMPLETED_TASK["updated_at"]),
    )


class HealthSchema(Schema):
    """The service runs."""

    status = fields.String(required=True, metadata={"enum": ["healthy"]})
    service = fields.String(required=True, metadata={"enum": ["todo-api"]})


class DatabaseHealthSchema(Schema):
    """Whether the database can be used. No more is said than this."""

    status = fields.String(required=True, metadata={"enum": ["healthy", "unhealthy"]})
    database = fields.String(required=True, metadata={"enum": ["connected", "disconnected"]})


class IndexSchema(Schema):
    """What this service is, and where to go on."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(metadata={"format": "uri-reference"}),
        required=True,
        metadata={"description": "Where to go on, as relative references."},
    )
