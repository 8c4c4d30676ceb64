"""Lists: filters, orders, cursors, the statement for a page, and the query's schema."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from marshmallow import Schema, fields
from sqlalchemy import ColumnElement, Executable, Integer, bindparam, cast, func, literal_column, select, tuple_

from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import EPOCH, MICROSECOND, contains_all, microseconds
from todo_api.platform.web.fields import DATE_PATTERN, IntegerText, Range, WallTime, invalid
from todo_api.tasks.model import MAX_ID, MAX_PRIORITY, NO_DUE, Task
from todo_api.tasks.schemas import Limit, Tags, about
from todo_api.tasks.store import NAMES, SHOWN, id_of

# The value of the order's column, as a number, and an id.
Position = tuple[int, int]
CURSOR_PATTERN = "^-?[0-9]{1,18}_[0-9]{1,19}$"
# The date without a time, then each minute.
POSITIONS_A_DAY = 1 + 24 * 60
NO_DUE_NUMBER = 10**18 - 1


class Order(NamedTuple):
    """A list's order: the column, and how its values become numbers and back. Ties go by id, in the same direction."""

    column: ColumnElement[Any]
    descending: bool
    name: str
    number: Callable[[Any], int]
    value: Callable[[int], Any]

    def cursor(self, row: Row) -> str:
        """The row's position, as text."""
        return f"{self.number(row[NAMES.index(self.name)])}_{id_of(row)}"


def _time_to_number(time: str) -> int:
    return microseconds(datetime.fromisoformat(time))


def _number_to_time(number: int) -> datetime:
    first, last = microseconds(datetime.min), microseconds(datetime.max)
    return EPOCH + max(first, min(number, last)) * MICROSECOND


def _due_to_number(due: str | None) -> int:
    """Days since 0001-01-01, times 1441, plus 0 for a mere date, or 1 + the minute of the day."""
    if due is None:
        return NO_DUE_NUMBER
    since = datetime.fromisoformat(due) - datetime.min
    return since.days * POSITIONS_A_DAY + (1 + since.seconds // 60 if "T" in due else 0)


def _number_to_due(number: int) -> str:
    if number < 0:
        return ""
    if number > _due_to_number("9999-12-31T23:59"):
        return ":" if number < NO_DUE_NUMBER else NO_DUE  # the colon comes after every date, and before NO_DUE
    days, minute = divmod(number, POSITIONS_A_DAY)
    at = datetime.min + timedelta(days, minutes=max(0, minute - 1))
    return at.isoformat(timespec="minutes") if minute else at.date().isoformat()


_columns = Task.__table__.c
# Written as in the index: with a parameter it would be another expression.
_due_or_last = func.coalesce(Task.due, literal_column(f"'{NO_DUE}'"))
_newest_first = Order(_columns.created_at, True, "created_at", _time_to_number, _number_to_time)
ORDERS = {
    "-created": _newest_first,
    "created": _newest_first._replace(descending=False),
    "due": Order(_due_or_last, False, "due", _due_to_number, _number_to_due),
    "-priority": Order(_columns.priority, True, "priority", int, lambda number: max(-1, min(number, MAX_PRIORITY + 1))),
    "-updated": Order(_columns.updated_at, True, "updated_at", _time_to_number, _number_to_time),
}
_due_day = func.substr(Task.due, 1, 10)
FILTERS = {
    "tags": contains_all(Task.tags, "tags"),
    # `+ 0`: so that the database filters, and does not use the index of the order by priority.
    "priority": Task.priority + 0 == bindparam("priority"),
    "due_from": _due_day >= bindparam("due_from"),
    "due_to": _due_day <= bindparam("due_to"),
}


@cache
def _page(order: Order, completed: bool | None, filters: frozenset[str], has_position: bool) -> Executable:
    statement = select(*SHOWN).where(Task.user_id == bindparam("owner"), *(FILTERS[name] for name in sorted(filters)))
    if completed is not None and order.name == "created_at":
        # Not as a parameter: SQLite has to see that the partial index fits.
        statement = statement.where(Task.completed if completed else ~Task.completed)
    elif completed is not None:
        # Not written as in the partial indexes, which have another order: no database may choose them.
        statement = statement.where(cast(Task.completed, Integer) == int(completed))
    columns = (order.column, Task.id)
    if has_position:
        here = tuple_(*columns)
        position = tuple_(bindparam("position", type_=order.column.type), bindparam("id", type_=Task.id.type))
        statement = statement.where(here < position if order.descending else here > position)
    by = [column.desc() for column in columns] if order.descending else columns
    return statement.order_by(*by).limit(bindparam("count"))


def list_page(
    user_id: str, completed: bool | None, order: Order, limit: int, after: Position | None = None, **filters: Any
) -> tuple[list[Row], str | None]:
    """A page of the user's tasks that match the filters, and the next page's cursor if there is one."""
    # A position past an end means that end.
    at = {"position": order.value(after[0]), "id": min(after[1], MAX_ID)} if after else {}
    clause = _page(order, completed, frozenset(filters), bool(at))
    rows = run(clause, owner=user_id, count=limit + 1, **filters, **at)
    return rows[:limit], order.cursor(rows[limit - 1]) if len(rows) > limit else None


class NameOf(fields.String):
    """One of a few names, loaded as what it names."""

    def __init__(self, named: Mapping[str, Any], default: str, description: str, data_key: str, **more: Any) -> None:
        metadata = about(description, enum=list(named), default=default, **more)
        # Not nullable, although the default of `status` is None.
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
        if not re.fullmatch(CURSOR_PATTERN, value):
            raise invalid("string_pattern_mismatch", f"a cursor from a Link header ({CURSOR_PATTERN})")
        return tuple(map(int, value.split("_")))


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
