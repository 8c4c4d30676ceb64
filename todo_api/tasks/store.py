"""What is asked of the database: each operation on tasks is one statement, for one user.

Statements are built once for each shape (which fields an update sets, which list it is) and compiled on first use.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Executable,
    Insert,
    Select,
    Update,
    bindparam,
    case,
    delete,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import MICROSECOND, UTCDateTime
from todo_api.tasks.model import MAX_ID, Task

# What rows hold, in this order: everything but `user_id`, which the caller already knows.
COLUMNS = tuple(column for column in Task.__table__.columns if column.name != "user_id")
NAMES = [column.name for column in COLUMNS]
_ID, _CREATED_AT = NAMES.index("id"), NAMES.index("created_at")

_mine = Task.user_id == bindparam("user_id")
_this = (_mine, Task.id == bindparam("task_id"))
_get = select(*COLUMNS).where(*_this)
_delete = delete(Task).where(*_this).returning(Task.id)


class Position(NamedTuple):
    """A place in a list's order, which is newest first."""

    created_at: datetime
    id: int


def position_of(row: Row) -> Position:
    return Position(row[_CREATED_AT].replace(tzinfo=UTC), row[_ID])


def id_of(row: Row) -> int:
    task_id: int = row[_ID]
    return task_id


def now() -> datetime:
    return datetime.now(UTC)


def _new(names: Iterable[str]) -> dict[str, BindParameter[Any]]:
    """A parameter `new_…` for each column: SQLAlchemy keeps the plain names for itself."""
    return {name: bindparam(f"new_{name}", type_=Task.__table__.c[name].type) for name in names}


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in fields.items()}


@cache
def _insert(names: frozenset[str]) -> Insert:
    return insert(Task).values(_new(names)).returning(*COLUMNS)


@cache
def _update(names: frozenset[str]) -> Update:
    """Sets only the fields named, so that writers of different fields never overwrite each other."""
    now = bindparam("now", type_=UTCDateTime)
    # Strictly forward, also where this clock is behind the one that wrote last.
    forward = case((Task.updated_at < now, now), else_=Task.updated_at + literal(MICROSECOND, UTCDateTime))
    return update(Task).where(*_this).values({"updated_at": forward, **_new(names)}).returning(*COLUMNS)


@cache
def _toggle() -> Update:
    return _update(frozenset()).values(completed=~Task.completed)


@cache
def _list(completed: bool | None, has_position: bool) -> Select[*tuple[Any, ...]]:
    statement = select(*COLUMNS).where(_mine)
    if completed is not None:
        # Not as a parameter: SQLite has to see which partial index fits.
        statement = statement.where(Task.completed if completed else ~Task.completed)
    if has_position:
        position = tuple_(bindparam("created_at", type_=UTCDateTime), bindparam("id", type_=Task.id.type))
        statement = statement.where(tuple_(Task.created_at, Task.id) < position)
    return statement.order_by(Task.created_at.desc(), Task.id.desc()).limit(bindparam("count"))


def list_tasks(user_id: str, completed: bool | None, after: Position | None, count: int) -> list[Row]:
    """At most `count` tasks of the user, newest first, from behind the position `after` on."""
    position = after._asdict() if after else {}
    return run(_list(completed, after is not None), user_id=user_id, count=count, **position)


def create_task(user_id: str, fields: Mapping[str, Any]) -> Row:
    at = now()
    values = {"user_id": user_id, "created_at": at, "updated_at": at, **fields}
    [row] = run(_insert(frozenset(values)), **_values(values))
    return row


def get_task(user_id: str, task_id: int) -> Row | None:
    return _run_on_one(_get, user_id, task_id)


def update_task(user_id: str, task_id: int, changes: Mapping[str, Any]) -> Row | None:
    """The task with its changes; without any it stays as it is, `updated_at` included."""
    if not changes:
        return get_task(user_id, task_id)
    return _run_on_one(_update(frozenset(changes)), user_id, task_id, now=now(), **_values(changes))


def toggle_task(user_id: str, task_id: int) -> Row | None:
    return _run_on_one(_toggle(), user_id, task_id, now=now())


def delete_task(user_id: str, task_id: int) -> bool:
    """Whether there was such a task."""
    return _run_on_one(_delete, user_id, task_id) is not None


def _run_on_one(statement: Executable, user_id: str, task_id: int, **parameters: Any) -> Row | None:
    # Past 64 bits there are no ids; PostgreSQL would refuse to look, SQLite would look at every row.
    if not 0 < task_id <= MAX_ID:
        return None
    rows = run(statement, user_id=user_id, task_id=task_id, **parameters)
    return rows[0] if rows else None
