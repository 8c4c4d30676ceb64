"""Marshmallow fields and validators that use the error vocabulary."""

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from todo_api.platform.web.errors import problem

# U+0000 and lone surrogates, which no database stores.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The same for the document. No pattern can name lone surrogates, which UTF-8 cannot carry anyway.
STORABLE_PATTERN = r"^[^\u0000]*$"
# Real dates of the years 1 to 9999, and no other text, also for clients that check it: days of months, leap years.
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
DATE_PATTERN = f"({_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)"
WALL_TIME_PATTERN = f"{DATE_PATTERN}(T([01][0-9]|2[0-3]):[0-5][0-9])?"
# More digits than any 64-bit number has.
MAX_DIGITS = 20


def invalid(type_: str, *values: object) -> ValidationError:
    return ValidationError([problem(type_, *values)])


def parse_integer(text: str) -> int:
    """An integer in ASCII digits, cut after 20, which leaves it out of every range. Raises ValidationError."""
    # Zeros are no part of the pattern: with `0*` before `[0-9]+` very many take minutes to be refused.
    match = re.fullmatch("(-?)([0-9]+)", text)
    if not match:
        raise invalid("int_parsing")
    return int(f"{match[1]}0{match[2].lstrip('0')[:MAX_DIGITS]}")


class Length(validate.Length):
    """Bounds for the number of characters (code points)."""

    def __call__(self, value: Any) -> Any:
        if self.min is not None and len(value) < self.min:
            raise invalid("string_too_short", _characters(self.min))
        if self.max is not None and len(value) > self.max:
            raise invalid("string_too_long", _characters(self.max))
        return value


def _characters(number: int) -> str:
    return f"{number} character{'' if number == 1 else 's'}"


class Range(validate.Range):
    """Inclusive bounds for a number."""

    def __call__(self, value: Any) -> Any:
        if self.min is not None and value < self.min:
            raise invalid("greater_than_equal", self.min)
        if self.max is not None and value > self.max:
            raise invalid("less_than_equal", self.max)
        return value


class Text(fields.String):
    """A string that a database can store."""

    default_error_messages = {"required": [problem("missing")], "null": [problem("string_type")]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise invalid("string_type")
        if UNSTORABLE.search(value):
            raise invalid("string_unicode")
        return value


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that only resembles them."""

    default_error_messages = {"required": [problem("missing")], "null": [problem("bool_type")]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise invalid("bool_type")
        return value


class Integer(fields.Integer):
    """An integral JSON number: `3.0` is 3, and `true` is none."""

    default_error_messages = {"required": [problem("missing")], "null": [problem("int_type")]}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise invalid("int_type")
        return int(value)


class WallTime(Text):
    """A real date `YYYY-MM-DD`, or date and time `YYYY-MM-DDTHH:MM` on the user's own clock, kept as text."""

    def __init__(self, *, date_only: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._pattern = DATE_PATTERN if date_only else WALL_TIME_PATTERN
        self._form = "a real date (YYYY-MM-DD)" if date_only else "a real date (YYYY-MM-DD), or date and time (…THH:MM)"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise invalid("string_type")
        if not re.fullmatch(self._pattern, value):
            raise invalid("date_parsing", self._form)
        return value


class Choice(fields.String):
    """One of a few strings; anything else, of whatever type, is a `literal_error`."""

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(metadata={"enum": list(choices)}, **options)
        self._choices = choices
        wrong = [problem("literal_error", " or ".join(map(repr, choices)))]
        self.error_messages |= {"required": [problem("missing")], "null": wrong, "invalid": wrong}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if value not in self._choices:
            raise self.make_error("invalid")
        return str(value)


class Items(fields.List[Any]):
    """A JSON array with a limited number of items."""

    default_error_messages = {
        "required": [problem("missing")],
        "null": [problem("list_type")],
        "invalid": [problem("list_type")],
    }

    def __init__(self, item: Any, *, max_items: int, **options: Any) -> None:
        super().__init__(item, validate=validate.Length(max=max_items), **options)
        self._max_items = max_items

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > self._max_items:
            raise invalid("too_long", self._max_items, len(value))
        return super()._deserialize(value, attr, data, **kwargs)


class Object(fields.Nested):
    """A JSON object in another, with a schema of its own."""

    default_error_messages = {"null": [problem("model_attributes_type")]}

    def _deserialize(self, value: Any, attr: Any, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise self.make_error("null")
        return super()._deserialize(value, attr, data, partial=partial, **kwargs)


class OneOf(fields.Field[Any]):
    """Any value, documented as one of several schemas (or null)."""

    def __init__(self, *schemas: type[Schema], **options: Any) -> None:
        super().__init__(**{"required": True, **options})
        self.schemas = schemas

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **kwargs: Any) -> Any:
        return value


class IntegerText(fields.Integer):
    """An integer in a path or a query."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        return parse_integer(str(value))  # the converter `int` has made a number of it


class Timestamp(fields.AwareDateTime):
    """RFC 3339 in UTC, always with six digits of microseconds. Takes a naive time in UTC."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return value and f"{value.isoformat(timespec='microseconds')}Z"
