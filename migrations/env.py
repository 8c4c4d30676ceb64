"""Runs the migrations on the app's database: one process at a time."""

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, NullPool, create_engine, event, text

from todo_api.platform.db.engine import db
from todo_api.tasks import model as models  # noqa: F401  # registers the tables

# Any number will do that nobody else takes: "todo" in ASCII.
LOCK = 0x746F646F
PAUSE_SECONDS = 0.1


def is_ours(_object: Any, name: str | None, kind: str, reflected: bool, _compared: Any) -> bool:
    """Not the tables of others in the same database, such as the identity provider's, nor partitions of ours."""
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
        did = "Stamped" if steps[0].is_stamp else "Migrated"
        names = [", ".join(ids) or "empty" for ids in (before, after)]
        print(f"{did} the database from {names[0]} to {names[1]}", file=sys.stderr)  # standard output is the log's


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Keep other processes from migrating meanwhile, by a lock that outlives the transactions of a migration.

    They ask again and again: one that waited within a statement would keep an index from being made concurrently.
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
    # It stays with the file, and is refused while others use it: not a thing for the first requests to do.
    connection.execute("PRAGMA journal_mode = WAL")


def begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# `flask db check` on SQLite: the index of revisions is on an expression, and not compared.
warnings.filterwarnings("ignore", ".* expression-based index")
# An engine of its own: in transactions, and without the time limits of requests.
engine = create_engine(db.engine.url, poolclass=NullPool, hide_parameters=True)
if engine.dialect.name == "sqlite":
    Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    event.listen(engine, "connect", leave_begin_to_us)
    event.listen(engine, "begin", begin_immediate)
with engine.connect() as connection:
    if engine.dialect.name == "sqlite":
        run(connection)
    else:
        with engine.connect() as another, alone(another):
            run(connection)
