"""Batches: up to a hundred operations, done in order in one transaction, each with its own result.

Everything is decided here, on rows read while the user's counter is locked, and then written in a few statements.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Executable, bindparam, delete, insert, select, update

from todo_api.platform.db.database import Run
from todo_api.platform.db.engine import transaction
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import MICROSECOND, any_of, rows_in
from todo_api.platform.web.errors import INVALID
from todo_api.tasks import store
from todo_api.tasks.model import Counter, Task, Tombstone
from todo_api.tasks.operations import DEFAULTS, MISSING_TITLE, Operation
from todo_api.tasks.rendering import task_dict, tombstone_dict
from todo_api.tasks.store import COLUMNS, NAMES, TOMBSTONE_COLUMNS

Values = dict[str, Any]

TOMBSTONE_NAMES = [column.name for column in TOMBSTONE_COLUMNS]
_owner: Any = bindparam("owner")


def _by_id_and_by_key(table: Any, columns: Sequence[Any]) -> tuple[Executable, Executable]:
    """Two statements: with both in one condition, or with none wanted, PostgreSQL may read all of the user's rows."""
    mine = select(*columns).where(table.user_id == _owner)
    return mine.where(any_of(table.id, "wanted")), mine.where(any_of(table.key, "wanted"))


_lock = select(Counter.revision).where(Counter.user_id == _owner).with_for_update()
_tasks, _tombstones = _by_id_and_by_key(Task, COLUMNS), _by_id_and_by_key(Tombstone, TOMBSTONE_COLUMNS)
_delete = delete(Task).where(Task.user_id == _owner, any_of(Task.id, "ids"))
_save_revision = update(Counter).where(Counter.user_id == _owner).values(revision=bindparam("last"))

# The values to write come as rows in a parameter.
_new = rows_in("rows", [column for column in COLUMNS if column.name != "id"])
_insert_tasks = insert(Task).from_select(["user_id", *_new.c.keys()], select(_owner, *_new.c))
_insert_tasks = _insert_tasks.returning(Task.id, Task.revision)
_changed = rows_in("rows", COLUMNS)
_update_tasks = update(Task).where(Task.user_id == _owner, Task.id == _changed.c.id)
_update_tasks = _update_tasks.values({column.name: column for column in _changed.c if column.name != "id"})
_deleted = rows_in("rows", TOMBSTONE_COLUMNS)
_insert_tombstones = insert(Tombstone).from_select(["user_id", *TOMBSTONE_NAMES], select(_owner, *_deleted.c))


def run_batch(user_id: str, operations: Sequence[Operation]) -> list[Values]:
    """Do the operations. Returns their results, in order. Raises Unavailable."""

    def work() -> tuple[list[Values], bool]:
        with transaction() as run:
            batch = _Batch(user_id, run, operations)
            results = [batch.do(operation) for operation in operations]
            return results, batch.write()

    results, has_changes = store.retry_once(work)
    if has_changes:
        store.watch.notify(user_id)
    return results


def _as_row(values: Iterable[Any]) -> Row:
    """Values as a row of `SHOWN` has them: times as text."""
    return tuple(str(value) if isinstance(value, datetime) else value for value in values)


@dataclass
class _Entry:
    """A task during a batch. A new one has no id until it is written; one deleted before the batch has no `values`."""

    values: Values
    tombstone: Values | None = None
    is_changed: bool = False
    shown: list[Values] = field(default_factory=list)  # in results, each as it was then


class _Batch:
    """The tasks of a batch: locks the user's counter and reads them; then `do` each operation, then `write`."""

    def __init__(self, user_id: str, run: Run, operations: Sequence[Operation]) -> None:
        self._user_id = user_id
        self._run = run
        run(store.MAKE_COUNTER, owner=user_id)
        self._counter = run(_lock, owner=user_id)[0][0]
        self._revision: int = self._counter
        self._now = store.now().replace(tzinfo=None)
        self._entries: list[_Entry] = []
        self._by_key: dict[str, _Entry] = {}
        self._by_id: dict[int, _Entry] = {}
        ids = [operation.task_id for operation in operations if store.may_exist(operation.task_id)]
        keys = [operation.key for operation in operations if operation.key and operation.task_id is None]
        for tombstone in sorted(self._read(_tombstones, TOMBSTONE_NAMES, ids, keys), key=itemgetter("revision")):
            self._know(_Entry({}, tombstone), tombstone)
        for values in self._read(_tasks, NAMES, ids, keys):
            values |= {"revision": values["revision"] or values["id"], "tags": values["tags"] or []}
            self._know(_Entry(values), values)

    def _read(self, clauses: Sequence[Executable], names: Sequence[str], *wanted: Sequence[Any]) -> Iterable[Values]:
        """Rows by ids and by keys, each row once."""
        found: dict[int, Values] = {}
        for clause, values in zip(clauses, wanted, strict=True):
            rows = self._run(clause, owner=self._user_id, wanted=values) if values else []
            found |= {row[0]: dict(zip(names, row, strict=True)) for row in rows}
        return found.values()

    def _know(self, entry: _Entry, values: Values) -> None:
        self._entries.append(entry)
        if values["key"]:
            self._by_key[values["key"]] = entry
        if values["id"]:
            self._by_id[values["id"]] = entry

    def do(self, operation: Operation) -> Values:
        """Do one operation. Returns its result."""
        entry = self._by_key.get(operation.key) if operation.task_id is None else self._by_id.get(operation.task_id)
        if operation.errors:
            return self._result(422, entry, detail=INVALID, errors=operation.errors)
        if operation.op == "delete":
            return self._delete(operation, entry)
        return self._put(operation, entry) if entry else self._create(operation)

    def _create(self, operation: Operation) -> Values:
        if operation.task_id is not None:
            return self._result(404, None, detail=f"Task with id {operation.task_id} not found")
        if operation.if_match:
            return self._result(412, None, detail=f"Task with key {operation.key} has changed")
        if "title" not in operation.data:
            return self._result(422, None, detail=INVALID, errors=[MISSING_TITLE])
        fields = {**DEFAULTS, **operation.data}
        times = {"created_at": self._now, "updated_at": self._now, **store.completion(fields, self._now)}
        entry = _Entry({"id": None, "key": operation.key, **fields, **times, "revision": self._take_revision()})
        self._know(entry, entry.values)
        return self._result(201, entry)

    def _put(self, operation: Operation, entry: _Entry) -> Values:
        if entry.tombstone:
            return self._result(410, entry, detail=f"Task with key {operation.key} is deleted")
        changes = operation.changes_of(entry.values)
        if changes and operation.conflicts_with(entry.values, changes):
            return self._result(412, entry, detail=f"Task with key {operation.key} has changed")
        if changes:
            updated_at = max(self._now, entry.values["updated_at"] + MICROSECOND)
            entry.values |= {**changes, **store.completion(changes, updated_at)}
            entry.values |= {"updated_at": updated_at, "revision": self._take_revision()}
            entry.is_changed = True
        return self._result(200, entry)

    def _delete(self, operation: Operation, entry: _Entry | None) -> Values:
        if entry is None or entry.tombstone:
            return self._result(204, None)
        if operation.conflicts_with(entry.values, operation.base):
            return self._result(412, entry, detail=f"Task with key {operation.key} has changed")
        task_id, key = entry.values["id"], entry.values["key"]
        entry.tombstone = {"id": task_id, "key": key or str(task_id), "revision": self._take_revision()}
        entry.tombstone["deleted_at"] = self._now
        return self._result(200, entry)

    def _take_revision(self) -> int:
        self._revision = max(self._revision + 1, int(time.time() * 1000))
        return self._revision

    def _result(self, status: int, entry: _Entry | None, **more: Any) -> Values:
        if entry is None:
            return {"status": status, "task": None, **more}
        if entry.tombstone:
            entry.shown.append(tombstone_dict(_as_row(entry.tombstone[name] for name in TOMBSTONE_NAMES)))
        else:
            entry.shown.append(task_dict(self._user_id, _as_row(entry.values[name] for name in NAMES)))
        return {"status": status, "task": entry.shown[-1], **more}

    def write(self) -> bool:
        """Store what was done, and put the new tasks' ids into the results. Returns whether anything was done."""
        if self._revision == self._counter:
            return False
        known = [entry for entry in self._entries if entry.values]
        new = {entry.values["revision"]: entry for entry in known if entry.values["id"] is None}
        changed = [entry.values for entry in known if entry.is_changed and entry.values["id"] and not entry.tombstone]
        deleted = [entry.tombstone for entry in known if entry.tombstone]
        for task_id, revision in self._write_rows(_insert_tasks, [entry.values for entry in new.values()]):
            for shown in filter(None, [new[revision].tombstone, *new[revision].shown]):
                shown["id"] = task_id
        self._write_rows(_update_tasks, changed)
        self._write_rows(_insert_tombstones, deleted)
        if deleted:
            self._run(_delete, owner=self._user_id, ids=[tombstone["id"] for tombstone in deleted])
        self._run(_save_revision, owner=self._user_id, last=self._revision)
        return True

    def _write_rows(self, clause: Executable, rows: Sequence[Values]) -> list[Row]:
        rows = [{**row, "tags": row.get("tags") or None} for row in rows]
        return self._run(clause, owner=self._user_id, rows=rows) if rows else []
