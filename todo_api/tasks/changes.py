"""The feed: the tasks and tombstones changed since a revision, in one order; waiting for the next change."""

import random
import time
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, cast, null, select, union_all

from todo_api.platform.db.availability import Unavailable
from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import UTCDateTime, times_as_text
from todo_api.tasks.model import Counter, Task, Tombstone
from todo_api.tasks.rendering import task_dict, tombstone_dict
from todo_api.tasks.store import COLUMNS, TASK_REVISION, watch


class Page(NamedTuple):
    """Changes, rendered as dictionaries; `counter` is the user's last revision at that time."""

    changes: list[dict[str, Any]]
    has_more: bool
    next: int
    counter: int
    retry_after: int | None = None


class Forgotten(Exception):
    """Tombstones above the checkpoint have been purged."""


_counter = select(Counter.revision, Counter.horizon).where(Counter.user_id == bindparam("owner"))


def _part(table: Any, revision: Any, *columns: Any) -> Select[*tuple[Any, ...]]:
    """A page of one table, read from its index in order."""
    mine = select(*columns, revision.label("revision")).where(table.user_id == bindparam("owner"))
    page = mine.where(revision > bindparam("start")).order_by(revision).limit(bindparam("count"))
    return select(page.subquery())


@cache
def _page(with_tombstones: bool) -> Select[*tuple[Any, ...]]:
    """The user's counter and horizon beside each change: when it was deleted, a task's columns, the revision."""
    of_task = [column for column in COLUMNS if column.name != "revision"]
    not_deleted = cast(null(), UTCDateTime).label("deleted_at")
    parts = [_part(Task, TASK_REVISION, not_deleted, *of_task)]
    if with_tombstones:
        kept = {"id": Tombstone.id, "key": Tombstone.key}
        of_tombstone = (kept.get(column.name, cast(null(), column.type).label(column.name)) for column in of_task)
        parts.append(_part(Tombstone, Tombstone.revision, Tombstone.deleted_at, *of_tombstone))
    page = union_all(*parts).order_by("revision").limit(bindparam("count")).subquery("page")
    # Not joined, which PostgreSQL would sort.
    counter = [_counter.with_only_columns(column).scalar_subquery() for column in (Counter.revision, Counter.horizon)]
    return select(*counter, *times_as_text(page.c)).order_by(page.c.revision)


def read_changes(user_id: str, since: int, after: int, limit: int) -> Page:
    """The next page of changes, above both the checkpoint and what was read since. Raises Forgotten."""
    start = max(since, after)
    [(counter, horizon)] = run(_counter, owner=user_id) or [(0, 0)]
    rows: list[Row] = []
    if counter > start:
        # The first page from 0 needs no tombstones; on later ones a task of an earlier page may have been deleted.
        rows = run(_page(start > 0), owner=user_id, start=start, count=limit + 1)
        # No rows although the counter is higher: purged tombstones, maybe since the horizon was read.
        counter, horizon = rows[0][:2] if rows else (counter, run(_counter, owner=user_id)[0][1])
    if 0 < since < horizon:
        raise Forgotten
    changes = [_change(user_id, row[2], row[3:]) for row in rows[:limit]]
    has_more = len(rows) > limit
    # At least 1: with a `since` of 0 the client would start again.
    return Page(changes, has_more, changes[-1]["revision"] if has_more else max(counter, start, 1), counter)


def wait_for_changes(user_id: str, expires: int, *, since: int, after: int, limit: int, wait: int) -> Page:
    """As `read_changes`, but waits up to `wait` seconds for a change where there is none yet. Raises Forgotten.

    No wait goes past the Unix time `expires`. A wait that ends early without a change has `retry_after`.
    """
    now = time.time()
    ends_early = wait > 0 and now + wait > expires
    deadline = time.monotonic() + (expires - now if ends_early else wait)
    with watch.watching(user_id) as hold:
        page = read_changes(user_id, since, after, limit)
        while not page.changes and (remaining := deadline - time.monotonic()) > 0:
            if not hold(page.counter, remaining):
                ends_early = True
                break
            with suppress(Unavailable):  # waits outlast a short outage
                page = read_changes(user_id, since, after, limit)
    return page._replace(retry_after=random.randint(1, 5)) if ends_early and not page.changes else page


def _change(user_id: str, deleted_at: str | None, task: Row) -> dict[str, Any]:
    """The task or tombstone in the columns of a task; a tombstone has only an id, a key and a revision there."""
    if deleted_at is None:
        return task_dict(user_id, task)
    task_id, key, *_, revision = task
    return tombstone_dict((task_id, key, revision, deleted_at))
