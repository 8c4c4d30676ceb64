"""The feed: the tasks and tombstones changed since a revision, in one order; waiting for the next change."""

import random
import time
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, cast, null, select, union_all

from todo_api.platform.db.availability import Unavailable
from todo_api.platform.db.engine import run
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import UTCDateTime
from todo_api.tasks.model import Counter, Task, Tombstone
from todo_api.tasks.rendering import task_dict, tombstone_dict
from todo_api.tasks.store import COLUMNS, TASK_REVISION, watch

_head = select(Counter.revision, Counter.horizon).where(Counter.user_id == bindparam("owner"))


class Query(NamedTuple):
    """A client's checkpoint, the revision up to which it has read since, and the page's limit."""

    since: int
    after: int
    limit: int

    @property
    def start(self) -> int:
        return max(self.since, self.after)


class Page(NamedTuple):
    """Changes, rendered as dictionaries; `counter` is the user's last revision at that time."""

    changes: list[dict[str, Any]]
    has_more: bool
    next: int
    counter: int
    retry_after: int | None = None


class Forgotten(Exception):
    """Tombstones above the checkpoint have been purged."""


def _part(*columns: Any, owner: Any, revision: Any) -> Select[*tuple[Any, ...]]:
    """A page of one table, read from its index in order."""
    part = select(*columns, revision.label("revision")).where(
        owner == bindparam("owner"), revision > bindparam("start")
    )
    return select(part.order_by(revision).limit(bindparam("count")).subquery())


@cache
def _page(with_tombstones: bool) -> Select[*tuple[Any, ...]]:
    """The counter with a page of changes."""
    names = [column.name for column in COLUMNS if column.name != "revision"]
    of_task = [Task.__table__.c[name] for name in names]
    nulls = {name: cast(null(), column.type).label(name) for name, column in zip(names, of_task, strict=True)}
    not_deleted = cast(null(), UTCDateTime).label("deleted_at")
    parts = [_part(not_deleted, *of_task, owner=Task.user_id, revision=TASK_REVISION)]
    if with_tombstones:
        of_tombstone = {"deleted_at": Tombstone.deleted_at, **nulls, "id": Tombstone.id, "key": Tombstone.key}.values()
        parts.append(_part(*of_tombstone, owner=Tombstone.user_id, revision=Tombstone.revision))
    page = union_all(*parts).order_by("revision").limit(bindparam("count")).subquery("page")
    # Not joined, which PostgreSQL would sort.
    counter = [_head.with_only_columns(column).scalar_subquery() for column in (Counter.revision, Counter.horizon)]
    return select(*counter, *page.c).order_by(page.c.revision)


def read_changes(user_id: str, query: Query) -> Page:
    """The next page of changes, above both `since` and `after`. Raises Forgotten."""
    [(counter, horizon)] = run(_head, owner=user_id) or [(0, 0)]
    _check(query, horizon)
    if counter <= query.start:
        return Page([], False, max(counter, query.start, 1), counter)
    # A client that knows nothing needs no tombstones on its first page; on later ones it may know a deleted task.
    rows = run(_page(query.start > 0), owner=user_id, start=query.start, count=query.limit + 1)
    if not rows:  # what there was has been purged, maybe only now
        [(_, horizon)] = run(_head, owner=user_id) or [(0, 0)]
        _check(query, horizon)
        return Page([], False, max(counter, query.start, 1), counter)
    counter, horizon = rows[0][:2]
    _check(query, horizon)
    changes = [_change(user_id, row[2], row[3:]) for row in rows]
    has_more = len(changes) > query.limit
    changes = changes[: query.limit]
    return Page(changes, has_more, changes[-1]["revision"] if has_more else max(counter, query.start, 1), counter)


def wait_for_changes(user_id: str, query: Query, seconds: float) -> Page:
    """As `read_changes`, but waits up to `seconds` for a change where there is none yet. Raises Forgotten."""
    deadline = time.monotonic() + seconds
    with watch.watching(user_id) as wait:
        page = read_changes(user_id, query)
        while not page.changes and (remaining := deadline - time.monotonic()) > 0:
            if not wait(page.counter, remaining):
                return page._replace(retry_after=random.randint(1, 5))
            with suppress(Unavailable):  # waits outlast a short outage
                page = read_changes(user_id, query)
    return page


def _check(query: Query, horizon: int) -> None:
    if 0 < query.since < horizon:
        raise Forgotten


def _change(user_id: str, deleted_at: datetime | None, row: Row) -> dict[str, Any]:
    """A change of a row with a task's columns, of which a tombstone has three."""
    if deleted_at is None:
        return task_dict(user_id, row)
    return tombstone_dict((row[0], row[1], row[-1], deleted_at))
