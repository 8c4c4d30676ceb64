"""What comes in and what goes out: marshmallow schemas that load input, document both, and render rows as JSON."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from todo_api import errors
from todo_api.db import EPOCH, MICROSECOND, Row
from todo_api.models import DESCRIPTION_LENGTH, MAX_ID, TITLE_LENGTH, USER_ID_LENGTH
from todo_api.store import COLUMNS, Position

PAGE_LIMIT = 1000
# What no database stores.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
CURSOR_PATTERN = "^-?[0-9]{1,18}_[0-9]{1,19}$"
# More digits than any 64-bit number has.
MAX_DIGITS = 20
STATUSES = {"all": None, "pending": False, "completed": True}


def parse_integer(text: str) -> int:
    """An integer in ASCII digits, of any length: cut at its first 20 digits, it stays out of every range.

    Raises ValidationError.
    """
    found = re.fullmatch("(-?)0*([0-9]+)", text)
    if not found:
        raise ValidationError([errors.INT_PARSING])
    return int(found[1] + found[2][:MAX_DIGITS])


class Length(validate.Length):
    """Characters (code points) within bounds, in the error vocabulary."""

    def __call__(self, value: Any) -> Any:
        if self.min is not None and len(value) < self.min:
            raise ValidationError([errors.too_short(self.min)])
        if self.max is not None and len(value) > self.max:
            raise ValidationError([errors.too_long(self.max)])
        return value


class Text(fields.String):
    default_error_messages = {"required": [errors.MISSING], "null": [errors.STRING_TYPE]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError([errors.STRING_TYPE])
        if UNSTORABLE.search(value):
            raise ValidationError([errors.STRING_UNICODE])
        return value


class Flag(fields.Boolean):
    default_error_messages = {"required": [errors.MISSING], "null": [errors.BOOL_TYPE]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError([errors.BOOL_TYPE])
        return value


class IntegerText(fields.Integer):
    """An integer in a path or a query."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        return parse_integer(value)


class Range(validate.Range):
    """A number within bounds, in the error vocabulary."""

    def __call__(self, value: Any) -> Any:
        if self.min is not None and value < self.min:
            raise ValidationError([errors.too_small(self.min)])
        if self.max is not None and value > self.max:
            raise ValidationError([errors.too_large(self.max)])
        return value


class Status(fields.String):
    """Which tasks: none for all, else whether completed."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if value not in STATUSES:
            raise ValidationError([errors.pattern_mismatch("'all', 'pending' or 'completed'")])
        return STATUSES[value]


class Cursor(fields.Field[Position]):
    """A position in a list: microseconds since 1970 and an id; one past an end means that end."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Position:
        if not re.fullmatch(CURSOR_PATTERN[1:-1], value):
            raise ValidationError([errors.pattern_mismatch(f"a cursor from a Link header ({CURSOR_PATTERN})")])
        microseconds, task_id = map(int, value.split("_"))
        try:
            created_at = EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            created_at = datetime.max.replace(tzinfo=UTC) if microseconds > 0 else datetime.min.replace(tzinfo=UTC)
        return Position(created_at, min(task_id, MAX_ID))


def cursor(row: Row) -> str:
    """The position of a row, as `Cursor` reads it."""
    created_at = row[NAMES.index("created_at")]
    return f"{(created_at - EPOCH.replace(tzinfo=None)) // MICROSECOND}_{row[NAMES.index('id')]}"


class Input(Schema):
    class Meta:
        unknown = EXCLUDE


class TaskPath(Input):
    task_id = IntegerText(required=True, metadata={"description": "The task's id", "format": "int64"})


class ListQuery(Input):
    completed = Status(
        data_key="status",
        load_default=None,
        metadata={"description": "Which tasks to list", "enum": list(STATUSES), "default": "all"},
    )
    limit = IntegerText(
        load_default=PAGE_LIMIT, validate=Range(1, PAGE_LIMIT), metadata={"description": "The most tasks to answer"}
    )
    after = Cursor(
        data_key="cursor",
        load_default=None,
        metadata={
            "type": "string",
            "description": "A position in the list, from a `Link` header",
            "pattern": CURSOR_PATTERN,
        },
    )


_title = {
    "description": "What is to be done",
    "examples": ["Buy milk"],
    "pattern": "^[^\\u0000]*$",
}
_description = {"description": "More about it", "examples": ["Two litres"], "pattern": "^[^\\u0000]*$"}


class TaskCreate(Input):
    """A task to be made."""

    title = Text(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = Text(
        load_default=None, allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description
    )
    completed = Flag(load_default=False, metadata={"description": "Whether it is done"})


class TaskUpdate(Input):
    """The fields of a task to change; what is not sent stays."""

    title = Text(validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = Text(allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description)
    completed = Flag(metadata={"description": "Whether it is done"})


class Timestamp(fields.AwareDateTime):
    """RFC 3339 in UTC, always with six digits of microseconds."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str:
        return f"{value.isoformat(timespec='microseconds')}Z"


class TaskSchema(Schema):
    """A task."""

    id = fields.Integer(required=True, metadata={"format": "int64", "examples": [1]})
    user_id = fields.String(required=True, validate=Length(1, USER_ID_LENGTH), metadata={"examples": ["alice"]})
    title = fields.String(required=True, validate=Length(1, TITLE_LENGTH), metadata=_title)
    description = fields.String(
        required=True, allow_none=True, validate=Length(max=DESCRIPTION_LENGTH), metadata=_description
    )
    completed = fields.Boolean(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


# Plain strings: orjson refuses SQLAlchemy's names, a subclass of str.
NAMES = [str(column.key) for column in COLUMNS]


def task_json(row: Row) -> bytes:
    return _render(_as_dict(row))


def tasks_json(rows: Sequence[Row]) -> bytes:
    return _render([_as_dict(row) for row in rows])


def _render(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _as_dict(row: Row) -> dict[str, Any]:
    """A row as `TaskSchema` dumps it, without the cost: orjson writes the times."""
    task = dict(zip(NAMES, row, strict=True))
    for name in ("created_at", "updated_at"):
        if not task[name].microsecond:  # orjson would leave the fraction out
            task[name] = task[name].isoformat(timespec="microseconds") + "Z"
    return task
