"""The query of a list: its filters, its order, the position at which a page begins."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from todo_api.platform.web.fields import DATE_PATTERN, IntegerText, Range, WallTime, invalid
from todo_api.tasks.listing import ORDERS, Position
from todo_api.tasks.model import MAX_PRIORITY
from todo_api.tasks.schemas import Limit, Tags, about

CURSOR_PATTERN = "^-?[0-9]{1,18}_[0-9]{1,19}$"


class NameOf(fields.String):
    """Loads the name of something as that: `named` has what there is."""

    def __init__(self, named: Mapping[str, Any], default: str, description: str, data_key: str, **more: Any) -> None:
        metadata = about(description, enum=list(named), default=default, **more)
        super().__init__(load_default=named[default], allow_none=False, data_key=data_key, metadata=metadata)
        self._named = named

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if value not in self._named:
            *others, last = map(repr, self._named)
            raise invalid("string_pattern_mismatch", f"{', '.join(others)} or {last}")
        return self._named[value]


class Cursor(fields.String):
    """A position in a list, as numbers."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not re.fullmatch(CURSOR_PATTERN[1:-1], value):
            raise invalid("string_pattern_mismatch", f"a cursor from a Link header ({CURSOR_PATTERN})")
        return Position(*map(int, value.split("_")))


class ListQuery(Schema):
    completed = NameOf({"all": None, "pending": False, "completed": True}, "all", "Which tasks to list.", "status")
    limit = Limit()
    tags = Tags(data_key="tag", metadata=about("Only tasks that have all of these tags.", ["home"]))
    priority = IntegerText(validate=Range(0, MAX_PRIORITY), metadata=about("Only tasks of this priority."))
    _date: dict[str, Any] = {"format": "date", "pattern": f"^{DATE_PATTERN}$", "examples": ["2026-12-01"]}
    due_from = WallTime(date_only=True, metadata=about("Only what is due on or after this date.", **_date))
    _due_to = "Only what is due on or before this date, at any time of it."
    due_to = WallTime(date_only=True, metadata=about(_due_to, **_date))
    _sort = "The order: newest, oldest, first due, highest priority or last changed first."
    # For generated clients, which would otherwise call them `VALUE_0` and so on.
    _names = {"x-enum-varnames": [re.sub("-(.*)", r"\1_descending", name).upper() for name in ORDERS]}
    order = NameOf(ORDERS, "-created", _sort, "sort", **_names)
    _after = "Where the page begins, from the `Link` header of the one before; unset: at the first."
    after = Cursor(data_key="cursor", metadata=about(_after, "1768557600123456_41", pattern=CURSOR_PATTERN))
