"""Marshmallow fields and validators whose faults are in the error vocabulary."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate

from todo_api.platform.web import errors

# U+0000 and lone surrogates, which no database stores.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The same for the document: no pattern can name lone surrogates, which UTF-8 cannot carry anyway.
STORABLE_PATTERN = r"^[^\u0000]*$"
# More digits than any 64-bit number has.
MAX_DIGITS = 20


def parse_integer(text: str) -> int:
    """An integer in ASCII digits, of any length. Cut after 20 digits, which leaves it out of every range.

    Raises ValidationError.
    """
    match = re.fullmatch("(-?)0*([0-9]+)", text)
    if not match:
        raise ValidationError([errors.INT_PARSING])
    return int(match[1] + match[2][:MAX_DIGITS])


class Length(validate.Length):
    """Bounds for the number of characters (code points)."""

    def __call__(self, value: Any) -> Any:
        if self.min is not None and len(value) < self.min:
            raise ValidationError([errors.too_short(self.min)])
        if self.max is not None and len(value) > self.max:
            raise ValidationError([errors.too_long(self.max)])
        return value


class Range(validate.Range):
    """Inclusive bounds for a number."""

    def __call__(self, value: Any) -> Any:
        if self.min is not None and value < self.min:
            raise ValidationError([errors.too_small(self.min)])
        if self.max is not None and value > self.max:
            raise ValidationError([errors.too_large(self.max)])
        return value


class Text(fields.String):
    """A string that a database can store."""

    default_error_messages = {"required": [errors.MISSING], "null": [errors.STRING_TYPE]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError([errors.STRING_TYPE])
        if UNSTORABLE.search(value):
            raise ValidationError([errors.STRING_UNICODE])
        return value


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that merely looks like it."""

    default_error_messages = {"required": [errors.MISSING], "null": [errors.BOOL_TYPE]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError([errors.BOOL_TYPE])
        return value


class IntegerText(fields.Integer):
    """An integer in a path or a query."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        return parse_integer(value)


class Timestamp(fields.AwareDateTime):
    """RFC 3339 in UTC, always with six digits of microseconds. Takes a naive time in UTC, as rows have it."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str:
        return f"{value.isoformat(timespec='microseconds')}Z"
