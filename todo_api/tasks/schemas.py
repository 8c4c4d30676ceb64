"""Schemas of tasks, which load input, and document input and output."""

import re
from typing import Any

from marshmallow import Schema, fields, post_load

from todo_api.auth import user_id as user_ids
from todo_api.platform.web.fields import (
    STORABLE_PATTERN,
    WALL_TIME_PATTERN,
    Flag,
    Integer,
    IntegerText,
    Items,
    Length,
    Range,
    Text,
    Timestamp,
    WallTime,
    invalid,
)
from todo_api.tasks import examples
from todo_api.tasks.model import DESCRIPTION_LENGTH, KEY_LENGTH, MAX_PRIORITY, MAX_TAGS, TAG_LENGTH, TITLE_LENGTH

PAGE_LIMIT = 1000
KEY_CHARACTERS = re.compile("[A-Za-z0-9._~-]+")
# The highest integer that JavaScript represents exactly.
MAX_REVISION = 2**53 - 1


class Tags(Items):
    """Strings without repeats: the first of each stays."""

    def __init__(self, **options: Any) -> None:
        tag = Text(validate=Length(1, TAG_LENGTH), metadata={"pattern": STORABLE_PATTERN})
        super().__init__(tag, max_items=MAX_TAGS, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


id_metadata = {"format": "int64", "minimum": 1, "examples": [1]}
key_metadata = {"pattern": "^[A-Za-z0-9._~-]*$", "examples": ["0f8c2b1e-5d4a-4c6f-9b1e-3a7d20c4e911"]}


class TaskPath(Schema):
    task_id = IntegerText(
        required=True,
        metadata={
            **id_metadata,
            "description": "The task's `id`. A number that is no id of this user's tasks, however large, is a 404.",
        },
    )


_text = {"pattern": STORABLE_PATTERN}
_title = {**_text, "description": "What is to be done, exactly as it was sent.", "examples": ["Buy milk"]}
_description = {
    **_text,
    "description": "More about it, exactly as it was sent; `null` for nothing.",
    "examples": ["Two litres"],
}
_completed = {"description": "Whether it is done."}
_due = {
    "description": "When it is due: a date, or a date and time on the user's own clock, without a zone; `null`: never.",
    "examples": ["2026-12-01T17:00", "2026-12-01"],
    "pattern": f"^{WALL_TIME_PATTERN}$",
}
_priority = {"description": "0: none, 1: low, 2: medium, 3: high."}
_tags = {"description": "What to find it by, in the order sent, each once.", "examples": [["home"]]}


class Key(Text):
    """A client's key, or an id."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        key = super()._deserialize(value, attr, data, **kwargs)
        if key and not KEY_CHARACTERS.fullmatch(key):
            raise invalid("string_pattern_mismatch", "ASCII letters, digits, '.', '_', '~' and '-'")
        return key


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
    due = WallTime(load_default=None, allow_none=True, metadata=_due)
    priority = Integer(load_default=0, validate=Range(0, MAX_PRIORITY), metadata=_priority)
    tags = Tags(load_default=[], metadata=_tags)

    @post_load
    def ignore_id(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Ignore a key of digits alone: it is the id of a task that is sent back whole."""
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
    due = WallTime(allow_none=True, metadata=_due)
    priority = Integer(validate=Range(0, MAX_PRIORITY), metadata=_priority)
    tags = Tags(metadata=_tags)


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
        required=True, metadata={**id_metadata, "description": "Assigned by the service, and never used again."}
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
    due = fields.String(required=True, allow_none=True, metadata=_due)
    priority = fields.Integer(required=True, validate=Range(0, MAX_PRIORITY), metadata=_priority)
    tags = Tags(required=True, metadata=_tags)
    completed_at = Timestamp(
        required=True,
        allow_none=True,
        metadata=time_metadata("When it was completed; `null` while it is not.", examples.UPDATED_AT),
    )
    created_at = Timestamp(required=True, metadata=time_metadata("When it was created.", examples.CREATED_AT))
    updated_at = Timestamp(
        required=True,
        metadata=time_metadata("When it last changed; moves strictly forward with each change.", examples.UPDATED_AT),
    )
    revision = Revision()
