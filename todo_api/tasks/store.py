"""Statements about single tasks: each operation is one statement, for one user.

A statement is built once for each shape (such as the fields that an update sets) and compiled on first use. Triggers
give each change its revision (migration 0003). On PostgreSQL a write first locks its user's counter, in the same round
trip: nothing that it depends on changes meanwhile, and writes cannot deadlock.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from todo_api.platform.db.availability import RolledBack
from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import MICROSECOND, UTCDateTime, any_of
from todo_api.platform.parking import Watch
from todo_api.tasks.model import MAX_ID, Counter, Task, Tombstone

# The columns of every row, in this order. `user_id` is left out: the caller already knows it.
COLUMNS = tuple(column for column in Task.__table__.columns if column.name != "user_id")
NAMES = [column.name for column in COLUMNS]
_ID, _REVISION = NAMES.index("id"), NAMES.index("revision")
# In a task from before 1.1 the id stands for it.
TASK_REVISION = sa.func.coalesce(Task.revision, Task.id)

Result = TypeVar("Result")

_mine = Task.user_id == sa.bindparam("owner")
_this = (_mine, Task.id == sa.bindparam("task_id"))
_this_revision = (*_this, any_of(TASK_REVISION, "revisions"))
_get = sa.select(*COLUMNS).where(*_this)
_get_by_key = sa.select(*COLUMNS).where(_mine, Task.key == sa.bindparam("key"))
_get_tombstone = (
    sa.select(Tombstone.id, Tombstone.key, Tombstone.revision, Tombstone.deleted_at)
    .where(Tombstone.user_id == sa.bindparam("owner"), Tombstone.key == sa.bindparam("key"))
    .order_by(Tombstone.revision.desc())
    .limit(1)
)
_counters = sa.select(Counter.user_id, Counter.revision).where(any_of(Counter.user_id, "owners"))
_now = sa.bindparam("now", type_=UTCDateTime)
# Strictly forward, even if this clock is behind that of the last write.
_later = sa.case((Task.updated_at < _now, _now), else_=Task.updated_at + sa.literal(MICROSECOND, UTCDateTime))
_LOCK = sa.text("SELECT 1 FROM task_counters WHERE user_id = :owner FOR UPDATE")
# For a user's first task: a row that does not exist cannot be locked.
MAKE_COUNTER = sa.text("INSERT INTO task_counters (user_id, revision) VALUES (:owner, 0) ON CONFLICT DO NOTHING")
_LOCK_NEW = sa.text(f"{MAKE_COUNTER.text}; {_LOCK.text}")


def _last_revisions(owners: Collection[str]) -> dict[str, int]:
    return dict(run(_counters, owners=owners))


# Requests that wait for a change of a user's tasks, each by the last revision that it knows.
watch = Watch(_last_revisions)


def id_of(row: Row) -> int:
    task_id: int = row[_ID]
    return task_id


def revision_of(row: Row) -> int:
    return row[_REVISION] or id_of(row)


def now() -> datetime:
    return datetime.now(UTC)


class _next_revision(sa.ColumnElement[int]):
    """The `revision` that a write sets: on PostgreSQL a trigger takes it; on SQLite that is too late for RETURNING."""

    inherit_cache = True
    owner: sa.BindParameter[str] = sa.bindparam("owner")


@compiles(_next_revision)
def _next_revision_sql(element: _next_revision, compiler: SQLCompiler, **options: Any) -> str:
    if compiler.dialect.name != "sqlite":
        return "NULL"
    owner = compiler.process(element.owner, **options)
    counter = f"SELECT revision FROM task_counters WHERE user_id = {owner}"
    return f"max(coalesce(({counter}), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"


def _new(names: Iterable[str]) -> dict[str, sa.BindParameter[Any]]:
    """A parameter `new_…` for each column: SQLAlchemy reserves the plain names."""
    return {name: sa.bindparam(f"new_{name}", type_=Task.__table__.c[name].type) for name in names}


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in fields.items()}


@cache
def _insert(names: frozenset[str]) -> sa.Insert:
    values = {"user_id": sa.bindparam("owner"), "revision": _next_revision(), **_new(names)}
    if "key" not in names:
        return sa.insert(Task).values(values).returning(*COLUMNS)
    is_free = [
        ~sa.exists().where(table.user_id == sa.bindparam("owner"), table.key == sa.bindparam("new_key"))
        for table in (Task, Tombstone)
    ]
    return sa.insert(Task).from_select(list(values), sa.select(*values.values()).where(*is_free)).returning(*COLUMNS)


def _change(values: Mapping[str, Any], conditional: bool) -> sa.Update:
    """Sets only the fields given, so that writers of different fields never overwrite each other."""
    values = {"updated_at": _later, "revision": _next_revision(), **values}
    if "completed" in values:
        completed = values["completed"]
        values["completed_at"] = sa.case((~completed, sa.null()), (Task.completed, Task.completed_at), else_=_later)
    return sa.update(Task).where(*(_this_revision if conditional else _this)).values(values).returning(*COLUMNS)


@cache
def _update(names: frozenset[str], conditional: bool) -> sa.Update:
    return _change(_new(names), conditional)


@cache
def _toggle(conditional: bool) -> sa.Update:
    return _change({"completed": ~Task.completed}, conditional)


@cache
def _delete(conditional: bool) -> sa.Executable:
    return sa.delete(Task).where(*(_this_revision if conditional else _this)).returning(Task.id)


def completion(fields: Mapping[str, Any], at: datetime) -> dict[str, datetime | None]:
    """The `completed_at` that goes with the `completed` in `fields`; nothing if that is not among them."""
    return {"completed_at": at if fields["completed"] else None} if "completed" in fields else {}


def create_task(user_id: str, fields: Mapping[str, Any]) -> Row | None:
    """The new task; None if its `key` is taken, by a task or a tombstone."""
    at = now()
    values = {"created_at": at, "updated_at": at, **completion(fields, at), **fields}
    lock = _LOCK_NEW if "key" in fields else None  # without a key, the counter is the first lock anyway
    return _write(_insert(frozenset(values)), lock, user_id, **_values(values))


def get_by_key(user_id: str, key: str) -> tuple[Row | None, Row | None]:
    """The task or the tombstone that has a key."""
    for clause in (_get_by_key, _get_tombstone):
        if rows := run(clause, owner=user_id, key=key):
            return (rows[0], None) if clause is _get_by_key else (None, rows[0])
    return None, None


def get_task(user_id: str, task_id: int) -> Row | None:
    rows = run(_get, owner=user_id, task_id=task_id) if may_exist(task_id) else []
    return rows[0] if rows else None


def update_task(
    user_id: str, task_id: int, changes: Mapping[str, Any], revisions: Sequence[int] | None = None
) -> Row | None:
    """The changed task; None if there is none, or its revision is not one of `revisions`."""
    clause = _update(frozenset(changes), revisions is not None)
    return _write_to(task_id, clause, user_id, revisions, now=now(), **_values(changes))


def toggle_task(user_id: str, task_id: int, revisions: Sequence[int] | None = None) -> Row | None:
    return _write_to(task_id, _toggle(revisions is not None), user_id, revisions, now=now())


def delete_task(user_id: str, task_id: int, revisions: Sequence[int] | None = None) -> bool:
    """Whether there was a task with this id and, if given, one of these revisions."""
    return _write_to(task_id, _delete(revisions is not None), user_id, revisions) is not None


def _write_to(
    task_id: int, clause: sa.Executable, user_id: str, revisions: Sequence[int] | None, **parameters: Any
) -> Row | None:
    if not may_exist(task_id):
        return None
    if revisions is not None:
        parameters["revisions"] = revisions
    return _write(clause, _LOCK, user_id, task_id=task_id, **parameters)


def _write(clause: sa.Executable, lock: sa.Executable | None, user_id: str, **parameters: Any) -> Row | None:
    """The row written, if any. Wakes requests that wait for this user's changes."""
    rows = retry_once(lambda: run(clause, lock=lock, owner=user_id, **parameters))
    if not rows:
        return None
    watch.notify(user_id)
    return rows[0]


def retry_once(write: Callable[[], Result]) -> Result:
    """Do a write, and again if the database rolled it back: a server of version 1.0 locks in the opposite order."""
    try:
        return write()
    except RolledBack:
        return write()


def may_exist(task_id: int | None) -> bool:
    # Without this, an id past 64 bits is an error on PostgreSQL, and a scan of every row on SQLite.
    return task_id is not None and 0 < task_id <= MAX_ID
