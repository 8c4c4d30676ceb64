"""Batches: up to a hundred operations, done in order in one transaction, each with its own result.

Everything is decided here, on rows read while the user's counter is locked, and then written in a few statements.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Executable, bindparam, delete, insert, select, update

from todo_api.platform.db.database import Run
from todo_api.platform.db.engine import database, transaction
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import MICROSECOND, any_of, as_parameter, rows_in
from todo_api.platform.web.errors import INVALID
from todo_api.tasks import store
from todo_api.tasks.model import Counter, Task, Tombstone
from todo_api.tasks.operations import DEFAULTS, MISSING_TITLE, Operation
from todo_api.tasks.rendering import task_dict, tombstone_dict
from todo_api.tasks.store import COLUMNS, MAKE_COUNTER, NAMES, retry_once, watch

Values = dict[str, Any]

NEW_NAMES = tuple(name for name in NAMES if name != "id")
TOMBSTONE_NAMES = ("id", "key", "revision", "deleted_at")
_task_row, _tombstone_row = itemgetter(*NAMES), itemgetter(*TOMBSTONE_NAMES)
_owner: Any = bindparam("owner")
_lock = select(Counter.revision).where(Counter.user_id == _owner).with_for_update()
# By ids, and by keys: with both in one condition PostgreSQL would read all of the user's.
_task = select(*COLUMNS).where(Task.user_id == _owner)
_TASKS = (_task.where(any_of(Task.id, "wanted")), _task.where(any_of(Task.key, "wanted")))
_tombstone = select(*(Tombstone.__table__.c[name] for name in TOMBSTONE_NAMES)).where(Tombstone.user_id == _owner)
_TOMBSTONES = (_tombstone.where(any_of(Tombstone.id, "wanted")), _tombstone.where(any_of(Tombstone.key, "wanted")))
_delete = delete(Task).where(Task.user_id == _owner, any_of(Task.id, "ids"))
_save_revision = (
    update(Counter)
    .where(Counter.user_id == _owner, Counter.revision < bindparam("last"))
    .values(revision=bindparam("last"))
)


@cache
def _insert(table: type[Task] | type[Tombstone], names: tuple[str, ...], dialect: str) -> Executable:
    rows = rows_in("rows", [table.__table__.c[name] for name in names], dialect)
    into = insert(table).from_select(["user_id", *names], select(_owner, *rows.c))
    return into.returning(Task.id, Task.revision) if table is Task else into


@cache
def _update(dialect: str) -> Executable:
    rows = rows_in("rows", COLUMNS, dialect)
    values = {name: rows.c[name] for name in NEW_NAMES}
    return update(Task).where(Task.user_id == _owner, Task.id == rows.c.id).values(values)


def run_batch(user_id: str, operations: Sequence[Operation]) -> list[Values]:
    """Do the operations. Returns their results, in order. Raises Unavailable."""

    def work() -> tuple[list[Values], bool]:
        with transaction() as run:
            run(MAKE_COUNTER, owner=user_id)
            batch = _Batch(user_id, run, operations)
            return [batch.do(operation) for operation in operations], batch.write()

    results, has_changes = retry_once(work)
    if has_changes:
        watch.notify(user_id)
    return [{**result, "task": result["task"] and result["task"](user_id)} for result in results]


@dataclass
class _Entry:
    """A task during a batch. A new one has no `id` until it is written; one that was deleted before has no `values`."""

    id: int | None
    values: Values
    tombstone: Values | None = None
    changed: bool = False


def _snapshot(entry: _Entry) -> Callable[[str], Values]:
    """Renders a task for a result: its values as they are now, with the id that it has by the end of the batch."""
    values, tombstone = dict(entry.values), entry.tombstone

    def render(user_id: str) -> Values:
        if tombstone:
            return tombstone_dict(_tombstone_row({**tombstone, "id": entry.id}))
        return task_dict(user_id, _task_row({**values, "id": entry.id}))

    return render


class _Batch:
    """The tasks of a batch, and what becomes of them."""

    def __init__(self, user_id: str, run: Run, operations: Sequence[Operation]) -> None:
        self._user_id = user_id
        self._run = run
        self._dialect = database().dialect_name
        [(revision,)] = run(_lock, owner=user_id)
        self._revision: int = revision
        self._now = store.now().replace(tzinfo=None)
        self._by_key: dict[str, _Entry] = {}
        self._by_id: dict[int, _Entry] = {}
        self._entries: list[_Entry] = []
        ids = [operation.task_id for operation in operations if store.may_exist(operation.task_id)]
        keys = [operation.key for operation in operations if operation.key and operation.task_id is None]
        for row in sorted(self._read(_TOMBSTONES, ids, keys), key=itemgetter(TOMBSTONE_NAMES.index("revision"))):
            self._know(_Entry(row[0], {}, dict(zip(TOMBSTONE_NAMES, row, strict=True))))
        for row in self._read(_TASKS, ids, keys):
            values = dict(zip(NAMES, row, strict=True))
            values |= {"revision": values["revision"] or values["id"], "tags": values["tags"] or []}
            self._know(_Entry(values["id"], values))

    def _read(self, clauses: tuple[Executable, Executable], *wanted: Sequence[Any]) -> Iterable[Row]:
        """Rows by ids and by keys, each row once."""
        found = [
            self._run(clause, owner=self._user_id, wanted=some)
            for clause, some in zip(clauses, wanted, strict=True)
            if some
        ]
        return {row[0]: row for rows in found for row in rows}.values()

    def _know(self, entry: _Entry) -> None:
        self._entries.append(entry)
        if key := (entry.values or entry.tombstone or {})["key"]:
            self._by_key[key] = entry
        if entry.id:
            self._by_id[entry.id] = entry

    def do(self, operation: Operation) -> Values:
        """Do one operation. Returns its result."""
        entry = self._by_key.get(operation.key) if operation.task_id is None else self._by_id.get(operation.task_id)
        if operation.errors:
            return _result(422, entry, detail=INVALID, errors=operation.errors)
        return (self._put if operation.op == "put" else self._delete)(operation, entry)

    def _put(self, operation: Operation, entry: _Entry | None) -> Values:
        if entry is None:
            return self._create(operation)
        if entry.tombstone:
            return _result(410, entry, detail=f"Task with key {operation.key} is deleted")
        changes = operation.changes_of(entry.values)
        if changes and operation.conflicts_with(entry.values, changes):
            return _result(412, entry, detail=f"Task with key {operation.key} has changed")
        if changes:
            updated_at = max(self._now, entry.values["updated_at"] + MICROSECOND)
            entry.values |= {**changes, **store.completion(changes, updated_at)}
            entry.values |= {"updated_at": updated_at, "revision": self._take_revision()}
            entry.changed = True
        return _result(200, entry)

    def _create(self, operation: Operation) -> Values:
        if operation.task_id is not None:
            return _result(404, None, detail=f"Task with id {operation.task_id} not found")
        if operation.if_match:
            return _result(412, None, detail=f"Task with key {operation.key} has changed")
        if "title" not in operation.data:
            return _result(422, None, detail=INVALID, errors=[MISSING_TITLE])
        fields = {**DEFAULTS, **operation.data, **store.completion({**DEFAULTS, **operation.data}, self._now)}
        own = {"id": None, "key": operation.key, "created_at": self._now, "updated_at": self._now}
        entry = _Entry(None, {**fields, **own, "revision": self._take_revision()})
        self._know(entry)
        return _result(201, entry)

    def _delete(self, operation: Operation, entry: _Entry | None) -> Values:
        if entry is None or entry.tombstone:
            return _result(204, None)
        if operation.conflicts_with(entry.values, operation.base):
            return _result(412, entry, detail=f"Task with key {operation.key} has changed")
        key = entry.values["key"] or str(entry.id)
        entry.tombstone = {"key": key, "revision": self._take_revision(), "deleted_at": self._now}
        return _result(200, entry)

    def _take_revision(self) -> int:
        self._revision = max(self._revision + 1, int(time.time() * 1000))
        return self._revision

    def write(self) -> bool:
        """Store what was done. Returns whether that was anything."""
        new = {entry.values["revision"]: entry for entry in self._entries if entry.id is None}
        deleted = [entry for entry in self._entries if entry.values and entry.tombstone]
        changed = [entry for entry in self._entries if entry.changed and entry.id and not entry.tombstone]
        insert_tasks = _insert(Task, NEW_NAMES, self._dialect)
        for task_id, revision in self._write_rows(insert_tasks, [_stored(entry) for entry in new.values()]):
            new[revision].id = task_id
        self._write_rows(_update(self._dialect), [_stored(entry) for entry in changed])
        tombstones = [{**(entry.tombstone or {}), "id": entry.id} for entry in deleted]
        self._write_rows(_insert(Tombstone, TOMBSTONE_NAMES, self._dialect), tombstones)
        if deleted:
            self._run(_delete, owner=self._user_id, ids=[entry.id for entry in deleted])
        if new or changed or deleted:
            self._run(_save_revision, owner=self._user_id, last=self._revision)
        return bool(new or changed or deleted)

    def _write_rows(self, clause: Executable, rows: Sequence[Values]) -> list[Row]:
        return self._run(clause, owner=self._user_id, rows=as_parameter(rows, self._dialect)) if rows else []


def _stored(entry: _Entry) -> Values:
    return {**entry.values, "tags": entry.values["tags"] or None}


def _result(status: int, entry: _Entry | None, **more: Any) -> Values:
    return {"status": status, "task": _snapshot(entry) if entry else None, **more}
