"""Runs the migrations on the app's database: one process at a time, and all of them or none."""

from pathlib import Path
from typing import Any

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, event, text

from todo_api.platform.db.engine import db
from todo_api.tasks import model as models  # noqa: F401  # registers the tables

# Any number will do that nobody else takes: "todo" in ASCII.
LOCK = 0x746F646F


def is_ours(_object: Any, name: str | None, kind: str, reflected: bool, _compared: Any) -> bool:
    """Not the tables of others in the same database, such as the identity provider's, nor partitions of ours."""
    return kind != "table" or not reflected or name in db.metadata.tables


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=db.metadata, transactional_ddl=True, include_object=is_ours
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Released with the transaction, so that it works through a pooler as well.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()


def leave_begin_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    # It stays with the file, and is refused while others use it: not a thing for the first requests to do.
    connection.execute("PRAGMA journal_mode = WAL")


def begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# An engine of its own: in transactions, and without the time limits of requests.
engine = create_engine(db.engine.url, poolclass=NullPool, hide_parameters=True)
if engine.dialect.name == "sqlite":
    Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    event.listen(engine, "connect", leave_begin_to_us)
    event.listen(engine, "begin", begin_immediate)
with engine.connect() as connection:
    run(connection)
