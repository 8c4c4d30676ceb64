"""What comes in and what goes out: marshmallow schemas that load input and document both."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, post_load

from todo_api.auth import user_id as user_ids
from todo_api.platform.db.types import EPOCH, MICROSECOND
from todo_api.platform.web.fields import STORABLE_PATTERN, Flag, IntegerText, Length, Range, Text, Timestamp, invalid
from todo_api.tasks import examples
from todo_api.tasks.model import DESCRIPTION_LENGTH, KEY_LENGTH, MAX_ID, TITLE_LENGTH
from todo_api.tasks.store import Position

PAGE_LIMIT = 1000
STATUSES = {"all": None, "pending": False, "completed": True}
KEY_CHARACTERS = re.compile("[A-Za-z0-9._~-]+")
# Revisions are numbers in JavaScript as well.
MAX_REVISION = 2**53 - 1
CURSOR_PATTERN = "^-?[0-9]{1,18}_[0-9]{1,19}$"


class Status(fields.String):
    """Which tasks to list: None for all, else whether completed."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if value not in STATUSES:
            raise invalid("string_pattern_mismatch", "'all', 'pending' or 'completed'")
        return STATUSES[value]


class Cursor(fields.Field[Position]):
    """A position in a list: microseconds since 1970 and an id. One past an end means that end."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Position:
        if not re.fullmatch(CURSOR_PATTERN[1:-1], value):
            raise invalid("string_pattern_mismatch", f"a cursor from a Link header ({CURSOR_PATTERN})")
        microseconds, task_id = map(int, value.split("_"))
        try:
            created_at = EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            created_at = datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)
        return Position(created_at, min(task_id, MAX_ID))


def cursor(position: Position) -> str:
    """A position as `Cursor` reads it."""
    return f"{(position.created_at - EPOCH) // MICROSECOND}_{position.id}"


class TaskPath(Schema):
    task_id = IntegerText(
        required=True,
        metadata={
            "description": "The task's `id`. A number that is no id of this user's tasks, however large, is a 404.",
            "format": "int64",
            "minimum": 1,
            "examples": [1],
        },
    )


class ListQuery(Schema):
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


class Key(Text):
    """A key of the client's, or an id."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        key = super()._deserialize(value, attr, data, **kwargs)
        if key and not KEY_CHARACTERS.fullmatch(key):
            raise invalid("string_pattern_mismatch", "ASCII letters, digits, '.', '_', '~' and '-'")
        return key


key_metadata = {"pattern": "^[A-Za-z0-9._~-]*$", "examples": ["0f8c2b1e-5d4a-4c6f-9b1e-3a7d20c4e911"]}


class TaskCreate(Schema):
    """A new task. Unknown and read-only fields (`id`, `user_id`, the times, `revision`) are ignored."""

    key = Key(
        validate=Length(1, KEY_LENGTH),
        metadata={
            **key_metadata,
            "description": "Chosen by the client, so that the call can be repeated. Ignored where it is digits alone.",
        },
    )
    title = Text(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = Text(
        load_default=None,
        allow_none=True,
        validate=Length(max=DESCRIPTION_LENGTH),
        metadata={**_description, "description": "More about it; `null`, or nothing sent, for nothing."},
    )
    completed = Flag(load_default=False, metadata={"description": "Whether it is done; not, when nothing is sent."})

    @post_load
    def leave_out_ids(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """A key of digits alone is the id of a task that is sent back whole: it is ignored."""
        if data.get("key", "").isdecimal():
            del data["key"]
        return data


class TaskUpdate(Schema):
    """The fields of a task to change; what is not sent stays.

    Unknown and read-only fields (`id`, `key`, `user_id`, the times, `revision`) are ignored, so that a whole task
    can be sent back.
    """

    title = Text(validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = Text(allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description)
    completed = Flag(metadata=_completed)


def time_metadata(description: str, example: object) -> dict[str, Any]:
    pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"
    return {"description": description, "pattern": pattern, "examples": [example]}


class Revision(fields.Integer):
    """The number of a change."""

    def __init__(self, **options: Any) -> None:
        text = "The number of its last change, higher than that of any earlier change of this user's tasks."
        metadata = {"description": text, "minimum": 1, "maximum": MAX_REVISION, "examples": [examples.REVISION]}
        super().__init__(required=True, metadata={"format": "int64", **metadata}, **options)


class TaskSchema(Schema):
    """A task as it is stored."""

    id = fields.Integer(
        required=True,
        metadata={
            "description": "Assigned by the service, and never used again.",
            "format": "int64",
            "minimum": 1,
            "examples": [1],
        },
    )
    key = fields.String(
        required=True,
        validate=Length(1, KEY_LENGTH),
        metadata={**key_metadata, "description": "Chosen by the client, or the `id` as text; never changes."},
    )
    user_id = fields.String(required=True, metadata={**user_ids.SCHEMA, "description": "The owner."})
    title = fields.String(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = fields.String(
        required=True, allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description
    )
    completed = fields.Boolean(required=True, metadata=_completed)
    created_at = Timestamp(required=True, metadata=time_metadata("When it was created.", examples.CREATED_AT))
    updated_at = Timestamp(
        required=True,
        metadata=time_metadata("When it last changed; moves strictly forward with each change.", examples.UPDATED_AT),
    )
    revision = Revision()
