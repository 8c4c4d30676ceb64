"""Maintenance of sync, safe beside running servers: the commands `flask purge` and `flask sync-reset`."""

from collections.abc import Callable
from datetime import timedelta

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import bindparam, case, delete, exists, func, select, tuple_, update

from todo_api.platform.db.availability import Unavailable
from todo_api.platform.db.database import Run
from todo_api.platform.db.engine import transaction
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import any_of, rows_in
from todo_api.tasks import store
from todo_api.tasks.model import Counter, Task, Tombstone

# Rows that one step takes: their users' writes wait meanwhile.
STEP = 1000
DAYS = click.IntRange(0, 36500)
_place = (Tombstone.__table__.c.user_id, Tombstone.__table__.c.revision)
_follows = tuple_(*_place) > tuple_(bindparam("user"), bindparam("revision"))
_tombstones = select(*_place, Tombstone.deleted_at).where(_follows).order_by(*_place).limit(STEP)
_users = select(Counter.user_id).where(Counter.user_id > bindparam("user")).order_by(Counter.user_id).limit(STEP)
# Always in the same order, so that two commands cannot deadlock.
_lock = select(Counter.user_id).where(any_of(Counter.user_id, "users")).order_by(Counter.user_id).with_for_update()
_next = case((Counter.revision < bindparam("now"), bindparam("now")), else_=Counter.revision + 1)
_reset = update(Counter).where(any_of(Counter.user_id, "users")).values(revision=_next, horizon=_next)
# Of tasks that are there: put back by hand, or of an id that was used again.
_has_task = exists().where(Task.user_id == Tombstone.user_id, Task.id == Tombstone.id)
_false_tombstones = delete(Tombstone).where(any_of(Tombstone.user_id, "users"), _has_task)


# Tombstones to delete, and the last of each user, up to which the horizon rises.
_old = rows_in("rows", _place)
_last = select(_old.c.user_id, func.max(_old.c.revision).label("revision")).group_by(_old.c.user_id).subquery()
_raise_horizons = update(Counter).where(Counter.user_id == _last.c.user_id, Counter.horizon < _last.c.revision)
_raise_horizons = _raise_horizons.values(horizon=_last.c.revision)
_delete_old = delete(Tombstone).where(tuple_(*_place).in_(select(*_old.c)))


@click.command("purge")
@click.option("--days", default=180, show_default=True, type=DAYS, help="How long a client can be away and go on.")
@with_appcontext
def purge(days: int) -> None:
    """Remove what is left of tasks that were deleted long ago."""
    before = (store.now() - timedelta(days=days)).replace(tzinfo=None)
    last, purged = ("", 0), 0

    def step(run: Run) -> list[Row]:
        rows = run(_tombstones, user=last[0], revision=last[1])
        old = [{"user_id": user, "revision": revision} for user, revision, at in rows if at < before]
        if old:
            run(_lock, users={row["user_id"] for row in old})
            run(_raise_horizons, rows=old)
            run(_delete_old, rows=old)
        return rows

    while rows := _in_transaction(step):
        last = rows[-1][:2]
        purged += sum(at < before for *_, at in rows)
    click.echo(f"Purged {purged} tasks that were deleted more than {days} days ago.")


@click.command("sync-reset")
@with_appcontext
def sync_reset() -> None:
    """Make every client start its sync again, for after a repair by hand."""
    last, users = "", 0

    def step(run: Run) -> list[Row]:
        rows = run(_users, user=last)
        page = [user for (user,) in rows]
        run(_lock, users=page)
        run(_reset, users=page, now=int(store.now().timestamp() * 1000))
        run(_false_tombstones, users=page)
        return rows

    while rows := _in_transaction(step):
        last = rows[-1][0]
        users += len(rows)
    click.echo(f"The clients of {users} users start again.")


def _in_transaction(step: Callable[[Run], list[Row]]) -> list[Row]:
    def work() -> list[Row]:
        with transaction() as run:
            return step(run)

    try:
        return store.retry_once(work)
    except Unavailable:
        raise click.ClickException("The database is unavailable; what was done before holds: run it again.") from None


def init_app(app: Flask) -> None:
    app.cli.add_command(purge)
    app.cli.add_command(sync_reset)
