"""Schemas of tasks, which load input, and document input and output."""

import re
from typing import Any

from marshmallow import Schema, post_load
from marshmallow.fields import Field

from todo_api.auth import user_id as user_ids
from todo_api.platform.web import fields
from todo_api.platform.web.fields import STORABLE_PATTERN, WALL_TIME_PATTERN, Length, Range, Text, invalid
from todo_api.tasks import examples
from todo_api.tasks.model import DESCRIPTION_LENGTH, KEY_LENGTH, MAX_PRIORITY, MAX_TAGS, TAG_LENGTH, TITLE_LENGTH, Task

MAX_PAGE = 1000
# The highest integer that JavaScript represents exactly.
MAX_REVISION = 2**53 - 1
KEY_PATTERN = "^[A-Za-z0-9._~-]*$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"


def about(description: str, *values: Any, **more: Any) -> dict[str, Any]:
    """A field's `metadata`: what the document says of it, with values as examples."""
    return {"description": description, **({"examples": list(values)} if values else {}), **more}


ID = about("Assigned by the service, and never used again.", 1, format="int64", minimum=1)
_revision = "The number of its last change, higher than that of any earlier change of this user's tasks."
REVISION = about(_revision, examples.REVISION, format="int64", minimum=1, maximum=MAX_REVISION)


class Key(Text):
    """A client's key, or an id."""

    def __init__(self, description: str, *, required: bool = False) -> None:
        metadata = about(description, examples.TASK["key"], pattern=KEY_PATTERN)
        super().__init__(required=required, validate=Length(1, KEY_LENGTH), metadata=metadata)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        key = super()._deserialize(value, attr, data, **kwargs)
        if not re.fullmatch(KEY_PATTERN, key):
            raise invalid("string_pattern_mismatch", "ASCII letters, digits, '.', '_', '~' and '-'")
        return key


class Tags(fields.Items):
    """Strings without repeats: the first of each stays."""

    def __init__(self, **options: Any) -> None:
        tag = Text(validate=Length(1, TAG_LENGTH), metadata={"pattern": STORABLE_PATTERN})
        super().__init__(tag, max_items=MAX_TAGS, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


class Time(fields.Timestamp):
    """A time that the service has set."""

    def __init__(self, description: str, example: str, **options: Any) -> None:
        super().__init__(required=True, metadata=about(description, example, pattern=TIME_PATTERN), **options)


class Number(fields.IntegerText):
    """An integer of a query, with a default."""

    def __init__(self, high: int, description: str, *, low: int = 0, default: int = 0, **more: Any) -> None:
        metadata = about(description, default=default, **more)
        super().__init__(load_default=default, validate=Range(low, high), metadata=metadata)


class Limit(Number):
    def __init__(self) -> None:
        super().__init__(MAX_PAGE, "How many a page holds at most.", low=1, default=MAX_PAGE)


class TaskPath(Schema):
    _text = "The task's `id`. A number that is no id of this user's tasks, however large, is a 404."
    task_id = fields.IntegerText(required=True, metadata=about(_text, 1, format="int64", minimum=1))


class TaskCreate(Schema):
    """A new task. What is not sent is empty: no description, not completed, never due, no priority, no tags.

    Unknown and read-only fields (`id`, `user_id`, the times, `revision`) are ignored.
    """

    key = Key(
        "Chosen by the client, so that the call can be repeated, or the `id` as text, ignored if sent. Never changes."
    )
    _title = about("What is to be done, exactly as it was sent.", "Buy milk", pattern=STORABLE_PATTERN)
    title = Text(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    _description = about("More about it, exactly as sent; `null`: nothing.", "Two litres", pattern=STORABLE_PATTERN)
    description = Text(load_default=None, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description)
    completed = fields.Flag(load_default=False, metadata=about("Whether it is done."))
    _when = "When it is due: a date, or a date and time on the user's own clock, without a zone; `null`: never."
    _due = about(_when, "2026-12-01T17:00", "2026-12-01", pattern=f"^{WALL_TIME_PATTERN}$")
    due = fields.WallTime(load_default=None, metadata=_due)
    _priority = "0: none, 1: low, 2: medium, 3: high."
    priority = fields.Integer(load_default=0, validate=Range(0, MAX_PRIORITY), metadata=about(_priority))
    tags = Tags(load_default=[], metadata=about("What to find it by, in the order sent, each once.", ["home"]))

    @post_load
    def ignore_id(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Ignore a key of digits alone: it is the id of a task that is sent back whole."""
        if data.get("key", "").isdecimal():
            del data["key"]
        return data


class TaskUpdate(TaskCreate):
    """The fields of a task to change; what is not sent stays.

    Unknown and read-only fields (`id`, `key`, `user_id`, the times, `revision`) are ignored, so that a whole task
    can be sent back.
    """

    class Meta:
        exclude = ("key",)

    def __init__(self, **options: Any) -> None:
        super().__init__(partial=True, **options)  # nothing is required, and nothing has a default


class TaskSchema(TaskCreate):
    """A task as it is stored."""

    class Meta:
        fields = Task.__table__.columns.keys()  # in this order

    id = fields.Integer(required=True, metadata=ID)
    user_id = Text(metadata={**user_ids.SCHEMA, "description": "The owner."})
    completed_at = Time("When it was completed; `null` while it is not.", examples.UPDATED_AT, allow_none=True)
    created_at = Time("When it was created.", examples.CREATED_AT)
    updated_at = Time("When it last changed; moves strictly forward with each change.", examples.UPDATED_AT)
    revision = fields.Integer(required=True, metadata=REVISION)

    def on_bind_field(self, field_name: str, field_obj: Field[Any]) -> None:
        field_obj.required = True  # also what may be left out of a body
