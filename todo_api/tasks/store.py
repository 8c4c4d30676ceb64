"""What is asked of the database: each operation on tasks is one statement, for one user."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import combinations, product
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Executable,
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

from todo_api.platform.db.engine import MICROSECOND, Row, UTCDateTime, run
from todo_api.tasks.model import MAX_ID, Task

# Not whose it is: who asks says that.
COLUMNS = (Task.id, Task.title, Task.description, Task.completed, Task.created_at, Task.updated_at)


class Position(NamedTuple):
    """A place in a list's order, which is newest first."""

    created_at: datetime
    id: int


def now() -> datetime:
    return datetime.now(UTC)


def _new(*names: str) -> dict[str, BindParameter[Any]]:
    """A parameter `new_…` for each column: SQLAlchemy keeps the plain names for itself."""
    return {name: bindparam(f"new_{name}", type_=Task.__table__.c[name].type) for name in names}


_mine = Task.user_id == bindparam("user_id")
_this = (_mine, Task.id == bindparam("task_id"))
_get = select(*COLUMNS).where(*_this)
_insert = (
    insert(Task)
    .values(_new("user_id", "title", "description", "completed", "created_at", "updated_at"))
    .returning(*COLUMNS)
)
_delete = delete(Task).where(*_this).returning(Task.id)


def _list(completed: bool | None, after: bool) -> Select[*tuple[Any, ...]]:
    statement = select(*COLUMNS).where(_mine)
    if completed is not None:
        # Not as a parameter: SQLite has to see which partial index it may take.
        statement = statement.where(Task.completed if completed else ~Task.completed)
    if after:
        position = tuple_(bindparam("created_at", type_=UTCDateTime), bindparam("id", type_=Task.id.type))
        statement = statement.where(tuple_(Task.created_at, Task.id) < position)
    return statement.order_by(Task.created_at.desc(), Task.id.desc()).limit(bindparam("count"))


def _update(*names: str) -> Update:
    """Sets just the fields named, so that writers of different fields never overwrite each other."""
    at = bindparam("now", type_=UTCDateTime)
    # Strictly forward, also where this clock is behind the one that wrote last.
    forward = case((Task.updated_at < at, at), else_=Task.updated_at + literal(MICROSECOND, UTCDateTime))
    return update(Task).where(*_this).values({"updated_at": forward, **_new(*names)}).returning(*COLUMNS)


_toggle = _update().values(completed=~Task.completed)
_lists = {key: _list(*key) for key in product((None, False, True), (False, True))}
_fields = ("completed", "description", "title")
_updates = {names: _update(*names) for count in range(1, 4) for names in combinations(_fields, count)}

STATEMENTS = (_get, _insert, _delete, _toggle, *_lists.values(), *_updates.values())


def list_tasks(user_id: str, completed: bool | None, after: Position | None, count: int) -> list[Row]:
    """At most `count` tasks of the user, newest first, from the one behind `after` on."""
    position = after._asdict() if after else {}
    return run(_lists[completed, after is not None], user_id=user_id, count=count, **position)


def create_task(user_id: str, title: str, description: str | None, completed: bool) -> Row:
    at = now()
    [task] = run(
        _insert,
        new_user_id=user_id,
        new_title=title,
        new_description=description,
        new_completed=completed,
        new_created_at=at,
        new_updated_at=at,
    )
    return task


def get_task(user_id: str, task_id: int) -> Row | None:
    return _one(_get, user_id, task_id)


def update_task(user_id: str, task_id: int, changes: Mapping[str, Any]) -> Row | None:
    if not changes:
        return get_task(user_id, task_id)
    new = {f"new_{name}": value for name, value in changes.items()}
    return _one(_updates[tuple(sorted(changes))], user_id, task_id, now=now(), **new)


def toggle_task(user_id: str, task_id: int) -> Row | None:
    return _one(_toggle, user_id, task_id, now=now())


def delete_task(user_id: str, task_id: int) -> bool:
    """Whether there was such a task."""
    return _one(_delete, user_id, task_id) is not None


def _one(statement: Executable, user_id: str, task_id: int, **parameters: Any) -> Row | None:
    # Past 64 bits there are no ids; the one database would refuse to look, the other look at every row.
    if not 0 < task_id <= MAX_ID:
        return None
    rows = run(statement, user_id=user_id, task_id=task_id, **parameters)
    return rows[0] if rows else None
