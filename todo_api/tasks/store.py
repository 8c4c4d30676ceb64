"""Statements about single tasks, each for one user; a write is one statement.

A statement is built once for each shape (such as the fields that an update sets) and compiled on first use. Triggers
give each change its revision (migration 0003). On PostgreSQL a write first locks its user's counter, in the same round
trip: nothing that it depends on changes meanwhile, and writes cannot deadlock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa

from todo_api.platform.db.availability import RolledBack
from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import MICROSECOND, ByDatabase, UTCDateTime, any_of, times_as_text
from todo_api.platform.parking import Watch
from todo_api.tasks.model import MAX_ID, Counter, Task, Tombstone

# The columns of every row, in this order. `user_id` is left out: the caller already knows it.
COLUMNS = tuple(column for column in Task.__table__.columns if column.name != "user_id")
# As COLUMNS, but times as text: for rows that are only rendered.
SHOWN = times_as_text(COLUMNS)
TOMBSTONE_COLUMNS = tuple(Tombstone.__table__.c[name] for name in ("id", "key", "revision", "deleted_at"))
NAMES = [column.name for column in COLUMNS]
_ID, _REVISION = NAMES.index("id"), NAMES.index("revision")
# A task from before 1.1 has no revision: its id is used.
TASK_REVISION = sa.func.coalesce(Task.revision, Task.id)

Result = TypeVar("Result")
Revisions = Sequence[int] | None

_owner: Any = sa.bindparam("owner")
_key: Any = sa.bindparam("key")
_this = (Task.user_id == _owner, Task.id == sa.bindparam("task_id"))
_get = sa.select(*SHOWN).where(*_this)
_delete = sa.delete(Task).where(*_this).returning(Task.id)
_get_by_key = sa.select(*SHOWN).where(Task.user_id == _owner, Task.key == _key)
_tombstones = sa.select(*times_as_text(TOMBSTONE_COLUMNS)).where(Tombstone.user_id == _owner, Tombstone.key == _key)
_get_tombstone = _tombstones.order_by(Tombstone.revision.desc()).limit(1)
_counters = sa.select(Counter.user_id, Counter.revision).where(any_of(Counter.user_id, "owners"))
_now = sa.bindparam("now", type_=UTCDateTime)
# Strictly forward, even if this clock is behind that of the last write.
_later = sa.case((Task.updated_at < _now, _now), else_=Task.updated_at + sa.literal(MICROSECOND, UTCDateTime))
# On PostgreSQL a trigger takes it; on SQLite that is too late for RETURNING.
_NEXT_REVISION = ByDatabase(
    "NULL",
    "max(coalesce((SELECT revision FROM task_counters WHERE user_id = {owner}), 0) + 1,"
    " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))",
    owner=_owner,
)
_LOCK = sa.text("SELECT 1 FROM task_counters WHERE user_id = :owner FOR UPDATE")
# For a user's first task: a row that does not exist cannot be locked.
MAKE_COUNTER = sa.text("INSERT INTO task_counters (user_id, revision) VALUES (:owner, 0) ON CONFLICT DO NOTHING")
_LOCK_NEW = sa.text(f"{MAKE_COUNTER.text}; {_LOCK.text}")


# Requests that wait for a change of a user's tasks, each by the last revision that it knows.
watch = Watch(lambda owners: dict(run(_counters, owners=owners)))


def id_of(row: Row) -> int:
    return int(row[_ID])


def revision_of(row: Row) -> int:
    return row[_REVISION] or id_of(row)


def now() -> datetime:
    return datetime.now(UTC)


def _new(names: Iterable[str]) -> dict[str, sa.BindParameter[Any]]:
    """A parameter `new_…` for each column: SQLAlchemy reserves the plain names."""
    return {name: sa.bindparam(f"new_{name}", type_=Task.__table__.c[name].type) for name in names}


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in fields.items()}


@cache
def _insert(names: frozenset[str]) -> sa.Insert:
    values = {"user_id": _owner, "revision": _NEXT_REVISION, **_new(names)}
    if "key" not in names:
        return sa.insert(Task).values(values).returning(*SHOWN)
    key = values["key"]
    is_free = (~sa.exists().where(table.user_id == _owner, table.key == key) for table in (Task, Tombstone))
    return sa.insert(Task).from_select(list(values), sa.select(*values.values()).where(*is_free)).returning(*SHOWN)


@cache
def _update(names: frozenset[str] | None) -> sa.Update:
    """Sets only these fields, so that writers of different ones never overwrite each other. None: flips `completed`."""
    values: dict[str, Any] = {"completed": ~Task.completed} if names is None else {**_new(names)}
    if "completed" in values:
        is_completed = values["completed"]
        values["completed_at"] = sa.case((~is_completed, sa.null()), (Task.completed, Task.completed_at), else_=_later)
    values |= {"updated_at": _later, "revision": _NEXT_REVISION}
    return sa.update(Task).where(*_this).values(values).returning(*SHOWN)


@cache
def _if_match(clause: Any) -> Any:
    """The write, done only where the task has one of the `revisions`."""
    return clause.where(any_of(TASK_REVISION, "revisions"))


def completion(fields: Mapping[str, Any], at: datetime) -> dict[str, datetime | None]:
    """The `completed_at` that goes with the `completed` in `fields`; nothing if that is not among them."""
    return {"completed_at": at if fields["completed"] else None} if "completed" in fields else {}


def create_task(user_id: str, fields: Mapping[str, Any]) -> Row | None:
    """The new task; None if its `key` is taken, by a task or a tombstone."""
    at = now()
    values = {"created_at": at, "updated_at": at, **completion(fields, at), **fields}
    # Without a key the insert reads nothing else, and its trigger locks the counter.
    lock = _LOCK_NEW if "key" in fields else None
    return _write(_insert(frozenset(values)), lock, user_id, **_values(values))


def get_by_key(user_id: str, key: str) -> tuple[Row | None, Row | None]:
    """The task or the tombstone that has a key."""
    task = _first(run(_get_by_key, owner=user_id, key=key))
    return task, None if task else _first(run(_get_tombstone, owner=user_id, key=key))


def get_task(user_id: str, task_id: int) -> Row | None:
    return _first(run(_get, owner=user_id, task_id=task_id)) if may_exist(task_id) else None


def update_task(user_id: str, task_id: int, changes: Mapping[str, Any], revisions: Revisions) -> Row | None:
    return _write_to(user_id, task_id, revisions, _update(frozenset(changes)), now=now(), **_values(changes))


def toggle_task(user_id: str, task_id: int, revisions: Revisions) -> Row | None:
    return _write_to(user_id, task_id, revisions, _update(None), now=now())


def delete_task(user_id: str, task_id: int, revisions: Revisions) -> bool:
    return _write_to(user_id, task_id, revisions, _delete) is not None


def _write_to(user_id: str, task_id: int, revisions: Revisions, clause: Any, **parameters: Any) -> Row | None:
    """The task written or deleted, if there is one with this id and, if given, one of these revisions."""
    if not may_exist(task_id):
        return None
    if revisions is not None:
        clause, parameters["revisions"] = _if_match(clause), revisions
    return _write(clause, _LOCK, user_id, task_id=task_id, **parameters)


def _write(clause: sa.Executable, lock: sa.Executable | None, user_id: str, **parameters: Any) -> Row | None:
    """The row written, if any. Wakes requests that wait for this user's changes."""
    row = _first(retry_once(lambda: run(clause, lock=lock, owner=user_id, **parameters)))
    if row is not None:
        watch.notify(user_id)
    return row


def _first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None


def retry_once(write: Callable[[], Result]) -> Result:
    """Do a write, and again if the database rolled it back: a server of version 1.0 locks in the opposite order."""
    try:
        return write()
    except RolledBack:
        return write()


def may_exist(task_id: int | None) -> bool:
    """Whether an id fits into 64 bits: a larger one is an error on PostgreSQL, and a scan of every row on SQLite."""
    return task_id is not None and 0 < task_id <= MAX_ID
