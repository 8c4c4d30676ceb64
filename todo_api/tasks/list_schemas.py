"""The query of a list: its filters, its order, the position at which a page begins."""

import re
from typing import Any

from marshmallow import Schema, fields

from todo_api.platform.web.fields import DATE_PATTERN, IntegerText, Range, WallTime, invalid
from todo_api.tasks.listing import ORDERS, Position
from todo_api.tasks.model import MAX_PRIORITY
from todo_api.tasks.schemas import PAGE_LIMIT, Tags

STATUSES = {"all": None, "pending": False, "completed": True}
CURSOR_PATTERN = "^-?[0-9]{1,18}_[0-9]{1,19}$"


class Status(fields.String):
    """Loads whether to list completed tasks; None for all."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if value not in STATUSES:
            raise invalid("string_pattern_mismatch", "'all', 'pending' or 'completed'")
        return STATUSES[value]


class Sort(fields.String):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if value not in ORDERS:
            raise invalid("string_pattern_mismatch", ", ".join(map(repr, ORDERS)))
        return str(value)


class Cursor(fields.Field[Position]):
    """A position in a list, as numbers."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Position:
        if not re.fullmatch(CURSOR_PATTERN[1:-1], value):
            raise invalid("string_pattern_mismatch", f"a cursor from a Link header ({CURSOR_PATTERN})")
        return Position(*map(int, value.split("_")))


def cursor(position: Position) -> str:
    """The text that `Cursor` loads as this position."""
    return f"{position.number}_{position.id}"


_date = {"format": "date", "pattern": f"^{DATE_PATTERN}$", "examples": ["2026-12-01"]}


class ListQuery(Schema):
    completed = Status(
        data_key="status", metadata={"description": "Which tasks to list.", "enum": list(STATUSES), "default": "all"}
    )
    limit = IntegerText(
        load_default=PAGE_LIMIT,
        validate=Range(1, PAGE_LIMIT),
        metadata={"description": "How many tasks a page holds at most.", "default": PAGE_LIMIT},
    )
    tags = Tags(
        data_key="tag", metadata={"description": "Only tasks that have all of these tags.", "examples": [["home"]]}
    )
    priority = IntegerText(validate=Range(0, MAX_PRIORITY), metadata={"description": "Only tasks of this priority."})
    due_from = WallTime(date_only=True, metadata={**_date, "description": "Only what is due on or after this date."})
    due_to = WallTime(
        date_only=True, metadata={**_date, "description": "Only what is due on or before this date, at any time of it."}
    )
    sort = Sort(
        load_default="-created",
        metadata={
            "description": "The order: newest, oldest, first due, highest priority or last changed first.",
            "enum": list(ORDERS),
            # For generated clients, which would otherwise call them `VALUE_0` and so on.
            "x-enum-varnames": [re.sub("-(.*)", r"\1_descending", name).upper() for name in ORDERS],
            "default": "-created",
        },
    )
    after = Cursor(
        data_key="cursor",
        metadata={
            "type": "string",
            "description": "Where the page begins, from the `Link` header of the one before; unset: at the first.",
            "pattern": CURSOR_PATTERN,
            "examples": ["1768557600123456_41"],
        },
    )
