"""Lists: their filters, their orders, and positions in them, as numbers that a cursor can carry."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, bindparam, cast, func, literal_column, select, tuple_

from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import EPOCH, contains_all, microseconds
from todo_api.tasks.model import MAX_ID, MAX_PRIORITY, NO_DUE, Task
from todo_api.tasks.store import COLUMNS, NAMES

MINUTES_A_DAY = 24 * 60
NO_DUE_NUMBER = 10**18 - 1
# After every date, and before NO_DUE.
_PAST_EVERY_DUE = ":"


class Position(NamedTuple):
    """A position in a list: the value of the order's column, as a number, and an id."""

    number: int
    id: int


class Order(NamedTuple):
    """A list's order: the column, and how its values become numbers and back. Ties go by id, in the same direction."""

    column: ColumnElement[Any]
    descending: bool
    name: str
    number: Callable[[Any], int]
    value: Callable[[int], Any]

    def position_of(self, row: Row) -> Position:
        return Position(self.number(row[NAMES.index(self.name)]), row[NAMES.index("id")])


def _time(microseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return (datetime.max if microseconds > 0 else datetime.min).replace(tzinfo=UTC)


def _due_number(due: str | None) -> int:
    """Days since 0001-01-01, times 1441, plus 0 for a mere date, or 1 + the minute of the day."""
    if due is None:
        return NO_DUE_NUMBER
    day, _, clock = due.partition("T")
    number = (date.fromisoformat(day) - date.min).days * (MINUTES_A_DAY + 1)
    return number + 1 + 60 * int(clock[:2]) + int(clock[3:]) if clock else number


def _due(number: int) -> str:
    if number < 0:
        return ""
    if number >= NO_DUE_NUMBER:
        return NO_DUE
    days, minute = divmod(number, MINUTES_A_DAY + 1)
    try:
        day = date.min + timedelta(days)
    except OverflowError:
        return _PAST_EVERY_DUE
    clock = f"T{time(*divmod(minute - 1, 60)):%H:%M}" if minute else ""
    return f"{day.isoformat()}{clock}"


def _priority(number: int) -> int:
    return max(-1, min(number, MAX_PRIORITY + 1))


_columns = Task.__table__.c
# Written as in the index: with a parameter it would be another expression.
_due_or_last = func.coalesce(Task.due, literal_column(f"'{NO_DUE}'"))
_newest_first = Order(_columns.created_at, True, "created_at", microseconds, _time)
ORDERS = {
    "-created": _newest_first,
    "created": _newest_first._replace(descending=False),
    "due": Order(_due_or_last, False, "due", _due_number, _due),
    "-priority": Order(_columns.priority, True, "priority", int, _priority),
    "-updated": Order(_columns.updated_at, True, "updated_at", microseconds, _time),
}
_due_day = func.substr(Task.due, 1, 10)
FILTERS = {
    "tags": contains_all(Task.tags, "tags"),
    # `+ 0` keeps the database from using the index of that order for it.
    "priority": Task.priority + 0 == bindparam("priority"),
    "due_from": _due_day >= bindparam("due_from"),
    "due_to": _due_day <= bindparam("due_to"),
}


@cache
def _list(sort: str, completed: bool | None, filters: frozenset[str], has_position: bool) -> Select[*tuple[Any, ...]]:
    order = ORDERS[sort]
    statement = select(*COLUMNS).where(Task.user_id == bindparam("owner"), *(FILTERS[name] for name in sorted(filters)))
    if completed is not None and order.name == "created_at":
        # Not as a parameter: SQLite has to see that the partial index fits.
        statement = statement.where(Task.completed if completed else ~Task.completed)
    elif completed is not None:
        # Written unlike the partial indexes' condition, since they are in another order.
        statement = statement.where(cast(Task.completed, Integer) == int(completed))
    if has_position:
        here = tuple_(order.column, Task.id)
        position = tuple_(bindparam("position", type_=order.column.type), bindparam("id", type_=Task.id.type))
        statement = statement.where(here < position if order.descending else here > position)
    columns = (order.column, Task.id)
    by = [column.desc() for column in columns] if order.descending else columns
    return statement.order_by(*by).limit(bindparam("count"))


def list_rows(
    user_id: str, completed: bool | None, filters: Mapping[str, Any], sort: str, after: Position | None, count: int
) -> list[Row]:
    """At most `count` of the user's tasks that match the filters, in the order `sort`, after a position."""
    clause = _list(sort, completed, frozenset(filters), after is not None)
    # A position past an end means that end.
    at = {"position": ORDERS[sort].value(after.number), "id": min(after.id, MAX_ID)} if after else {}
    return run(clause, owner=user_id, count=count, **filters, **at)
