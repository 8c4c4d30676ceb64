"""The kinds of values that schemas are made of, their faults in the error vocabulary."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate

from todo_api.platform.db.engine import EPOCH
from todo_api.platform.web import errors
from todo_api.tasks.model import MAX_ID
from todo_api.tasks.store import Position

# What no database stores.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
CURSOR_PATTERN = "^-?[0-9]{1,18}_[0-9]{1,19}$"
# As patterns can say it: no pattern knows of lone surrogates, which no UTF-8 holds anyway.
STORABLE_PATTERN = r"^[^\u0000]*$"
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


class Timestamp(fields.AwareDateTime):
    """RFC 3339 in UTC, always with six digits of microseconds."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str:
        return f"{value.isoformat(timespec='microseconds')}Z"
