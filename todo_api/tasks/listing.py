"""Lists: their filters, their orders, and positions in them, as numbers that a cursor can carry."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, bindparam, cast, func, literal_column, select, tuple_

from todo_api.platform.db.arrays import contains_all
from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import EPOCH, MICROSECOND
from todo_api.tasks.model import MAX_ID, MAX_PRIORITY, NO_DUE, Task
from todo_api.tasks.store import COLUMNS, NAMES, id_of

# A date without a time comes before the first minute of its day.
MINUTES_A_DAY = 24 * 60 + 1
NO_DUE_NUMBER = 10**18 - 1


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

    def cursor(self, row: Row) -> str:
        """The row's position, as text."""
        return f"{self.number(row[NAMES.index(self.name)])}_{id_of(row)}"


def _microseconds(at: datetime) -> int:
    return (at.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def _time(microseconds: int) -> datetime:
    first, last = _microseconds(datetime.min), _microseconds(datetime.max)
    return EPOCH + max(first, min(microseconds, last)) * MICROSECOND


def _minutes(due: str | None) -> int:
    """Days since 0001-01-01, times 1441, plus 0 for a mere date, or 1 + the minute of the day."""
    if due is None:
        return NO_DUE_NUMBER
    since = datetime.fromisoformat(due) - datetime.min
    return since.days * MINUTES_A_DAY + (1 + since.seconds // 60 if "T" in due else 0)


def _due(number: int) -> str:
    if not 0 <= number <= _minutes("9999-12-31T23:59"):
        # The colon comes after every date, and before NO_DUE.
        return "" if number < 0 else ":" if number < NO_DUE_NUMBER else NO_DUE
    days, minute = divmod(number, MINUTES_A_DAY)
    at = datetime.min + timedelta(days, minutes=max(0, minute - 1))
    return at.isoformat(timespec="minutes") if minute else at.date().isoformat()


_columns = Task.__table__.c
# Written as in the index: with a parameter it would be another expression.
_due_or_last = func.coalesce(Task.due, literal_column(f"'{NO_DUE}'"))
_newest_first = Order(_columns.created_at, True, "created_at", _microseconds, _time)
ORDERS = {
    "-created": _newest_first,
    "created": _newest_first._replace(descending=False),
    "due": Order(_due_or_last, False, "due", _minutes, _due),
    "-priority": Order(_columns.priority, True, "priority", int, lambda number: max(-1, min(number, MAX_PRIORITY + 1))),
    "-updated": Order(_columns.updated_at, True, "updated_at", _microseconds, _time),
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
def _page(
    order: Order, completed: bool | None, filters: frozenset[str], has_position: bool
) -> Select[*tuple[Any, ...]]:
    statement = select(*COLUMNS).where(Task.user_id == bindparam("owner"), *(FILTERS[name] for name in sorted(filters)))
    if completed is not None and order.name == "created_at":
        # Not as a parameter: SQLite has to see that the partial index fits.
        statement = statement.where(Task.completed if completed else ~Task.completed)
    elif completed is not None:
        # Written unlike the partial indexes' condition, since they are in another order.
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
    at = {"position": order.value(after.number), "id": min(after.id, MAX_ID)} if after else {}
    clause = _page(order, completed, frozenset(filters), bool(at))
    rows = run(clause, owner=user_id, count=limit + 1, **filters, **at)
    return rows[:limit], order.cursor(rows[limit - 1]) if len(rows) > limit else None
