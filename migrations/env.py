"""Runs the migrations on the app's database: one process at a time."""

import sqlite3
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from alembic import context
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError

from todo_api.platform.db.engine import db
from todo_api.tasks import model as models  # noqa: F401  # registers the tables

# Any number that nobody else uses: "todo" in ASCII.
LOCK = 0x746F646F
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 10


def is_ours(_object: Any, name: str | None, kind: str, reflected: bool, _compared: Any) -> bool:
    """Leaves out other tables in the same database, such as the identity provider's, and partitions of ours."""
    return kind != "table" or not reflected or name in db.metadata.tables


def run(connection: Connection) -> None:
    steps: list[MigrationInfo] = []
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        transactional_ddl=True,
        include_object=is_ours,
        on_version_apply=lambda step, **_: steps.append(step),
    )
    with context.begin_transaction():
        context.run_migrations()
    if steps and not context.is_offline_mode():
        before, after = steps[0].source_revision_ids, steps[-1].destination_revision_ids
        verb = "Stamped" if steps[0].is_stamp else "Migrated"
        names = [", ".join(ids) or "empty" for ids in (before, after)]
        print(f"{verb} the database from {names[0]} to {names[1]}", file=sys.stderr)  # standard output is the log's


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Keep other processes from migrating meanwhile, with a lock that outlives the migration's transactions.

    They poll for it: a statement that waited for it would keep CREATE INDEX CONCURRENTLY from ending.
    """
    ours = connection.execution_options(isolation_level="AUTOCOMMIT")
    while not ours.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar():
        time.sleep(PAUSE_SECONDS)
    try:
        yield
    finally:
        ours.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})


def leave_begin_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    # It stays with the file. It fails, without waiting, while others use the file: so the first requests should not be
    # the ones to set it, and of processes that start at once each may have to try again.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# `flask db check` on SQLite does not compare the index of revisions, which is on an expression.
warnings.filterwarnings("ignore", ".* expression-based index")
# An engine of its own: in transactions, and without the time limits of requests.
engine = create_engine(db.engine.url, poolclass=NullPool, hide_parameters=True)
if engine.dialect.name == "sqlite":
    Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    event.listen(engine, "connect", leave_begin_to_us)
    event.listen(engine, "begin", begin_immediate)
try:
    connection = engine.connect()
except OperationalError as error:
    raise click.ClickException(f"cannot connect to the database: {str(error.orig).strip()}") from None
with connection:
    if engine.dialect.name == "sqlite":
        run(connection)
    else:
        with engine.connect() as another, alone(another):
            run(connection)
