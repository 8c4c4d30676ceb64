"""Maintenance of sync, safe beside running servers: the commands `flask purge` and `flask sync-reset`."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import Executable, bindparam, case, delete, exists, select, tuple_, update

from todo_api.platform.db.availability import Unavailable
from todo_api.platform.db.database import Run
from todo_api.platform.db.engine import database, transaction
from todo_api.platform.db.statements import Row
from todo_api.platform.db.types import any_of, as_parameter, rows_in
from todo_api.tasks import store
from todo_api.tasks.model import Counter, Task, Tombstone
from todo_api.tasks.store import retry_once

# Rows that one step takes: their users' writes wait meanwhile.
STEP = 1000
_tombstones = (
    select(Tombstone.user_id, Tombstone.revision, Tombstone.id, Tombstone.deleted_at)
    .where(tuple_(Tombstone.user_id, Tombstone.revision) > tuple_(bindparam("user"), bindparam("revision")))
    .order_by(Tombstone.user_id, Tombstone.revision)
    .limit(STEP)
)
_users = select(Counter.user_id).where(Counter.user_id > bindparam("user")).order_by(Counter.user_id).limit(STEP)
# Always in the same order, so that two commands cannot deadlock.
_lock = select(Counter.user_id).where(any_of(Counter.user_id, "users")).order_by(Counter.user_id).with_for_update()
_next = case((Counter.revision < bindparam("now"), bindparam("now")), else_=Counter.revision + 1)
_reset = update(Counter).where(any_of(Counter.user_id, "users")).values(revision=_next, horizon=_next)
# Of tasks that are there: put back by hand, or of an id that was used again.
_false_tombstones = delete(Tombstone).where(
    any_of(Tombstone.user_id, "users"), exists().where(Task.user_id == Tombstone.user_id, Task.id == Tombstone.id)
)


@cache
def _raise_horizons(dialect: str) -> Executable:
    rows = rows_in("rows", [Counter.__table__.c.user_id, Counter.__table__.c.horizon], dialect)
    is_higher = (Counter.user_id == rows.c.user_id, Counter.horizon < rows.c.horizon)
    return update(Counter).where(*is_higher).values(horizon=rows.c.horizon)


@cache
def _delete(dialect: str) -> Executable:
    rows = rows_in("rows", [Tombstone.__table__.c.user_id, Tombstone.__table__.c.id], dialect)
    return delete(Tombstone).where(tuple_(Tombstone.user_id, Tombstone.id).in_(select(*rows.c)))


@click.command("purge")
@click.option(
    "--days",
    default=180,
    show_default=True,
    type=click.IntRange(0, 36500),
    help="How long a client may be away without having to start again.",
)
@with_appcontext
def purge(days: int) -> None:
    """Remove what is left of tasks that were deleted long ago."""
    before = (store.now() - timedelta(days=days)).replace(tzinfo=None)
    dialect, last, purged = database().dialect_name, ("", 0), 0

    def step(run: Run) -> list[Row]:
        rows = run(_tombstones, user=last[0], revision=last[1])
        old = [row for row in rows if row[3] < before]
        if old:
            horizons = {user: revision for user, revision, *_ in old}  # the last of each user's is the highest
            run(_lock, users=list(horizons))
            raised = [{"user_id": user, "horizon": revision} for user, revision in horizons.items()]
            run(_raise_horizons(dialect), rows=as_parameter(raised, dialect))
            ids = [{"user_id": user, "id": task_id} for user, _, task_id, _ in old]
            run(_delete(dialect), rows=as_parameter(ids, dialect))
        return rows

    while rows := _in_transaction(step):
        last = rows[-1][:2]
        purged += sum(row[3] < before for row in rows)
    click.echo(f"Purged {purged} tasks that were deleted more than {days} days ago.")


@click.command("sync-reset")
@with_appcontext
def sync_reset() -> None:
    """Make every client start its sync again, for after a repair by hand."""
    last, users = "", 0

    def step(run: Run) -> list[Row]:
        rows = run(_users, user=last)
        run(_lock, users=[user for (user,) in rows])
        run(_reset, users=[user for (user,) in rows], now=int(store.now().timestamp() * 1000))
        run(_false_tombstones, users=[user for (user,) in rows])
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
        return retry_once(work)
    except Unavailable:
        raise click.ClickException("The database is unavailable; what was done before holds: run it again.") from None


def init_app(app: Flask) -> None:
    app.cli.add_command(purge)
    app.cli.add_command(sync_reset)
