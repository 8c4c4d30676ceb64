"""The database: connections and their pool for SQLite and PostgreSQL, UTC times, and statements compiled once."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg2
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Executable
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from todo_api.platform.db.availability import Availability, Unavailable
from todo_api.platform.db.pool import Pool, Pooled
from todo_api.platform.db.readiness import READY_SECONDS, Readiness
from todo_api.platform.db.statements import Row, Statement
from todo_api.platform.db.types import EPOCH, MICROSECOND, UTCDateTime
from todo_api.platform.db.waits import bound_waits, can_be_read, wait_until
from todo_api.settings import Settings

__all__ = ["EPOCH", "MICROSECOND", "Base", "Row", "UTCDateTime", "Unavailable", "bound_waits", "db", "run"]

# One writer at a time; eight that commit to disk need far less, and a request must end within ten seconds.
SQLITE_BUSY_SECONDS = 8
# Shorter than the five minutes after which a serverless PostgreSQL sleeps.
POOL_RECYCLE_SECONDS = 240


class Base(DeclarativeBase):
    pass


# For the migrations, and to know the dialect: requests go through a pool of our own, since the engine's asks the
# server about itself on its first connection and about an extension on each, with no time limit over it all.
db = SQLAlchemy(model_class=Base)


@dataclass
class Database:
    """An app's database. `is_ready` tells whether it answers and has its schema."""

    pool: Pool
    statements: dict[Executable, Statement]
    is_ready: Callable[[], bool]


def database() -> Database:
    """The current app's."""
    found: Database = current_app.extensions[__name__]
    return found


def run(clause: Executable, **parameters: Any) -> list[Row]:
    """Run one of its statements on the current app's database and return the rows. Raises Unavailable."""
    statement: Statement = current_app.extensions[__name__].statements[clause]
    return statement(parameters)


def init_app(app: Flask, settings: Settings, statements: Iterable[Executable]) -> None:
    """Prepare the database, which is not asked anything yet, for these statements."""
    url = app.config["SQLALCHEMY_DATABASE_URI"] = settings.database(app.instance_path)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"hide_parameters": True, "poolclass": NullPool}
    db.init_app(app)
    with app.app_context():
        dialect = db.engine.dialect
    sqlite = url.drivername == "sqlite"
    arguments, options = dialect.create_connect_args(url)
    options.update(_sqlite_options() if sqlite else _postgresql_options(settings))
    availability = Availability()

    def connect() -> Any:
        connection = dialect.loaded_dbapi.connect(*arguments, **options)
        (_set_up_sqlite if sqlite else _set_up_postgresql)(connection)
        return connection

    if sqlite:
        pool = Pool(connect, settings.threads, lambda _: True)
        ask: Callable[[float], None] = _ask_sqlite(Path(arguments[0]))
        prefix = ""
    else:
        pool = Pool(connect, settings.threads, _trusts(availability))
        ask = _ask_postgresql(*arguments, **options)
        prefix = (
            _time_limits(settings.db_lock_timeout_seconds, settings.db_statement_timeout_seconds)
            # A list comes in its index's order. Where the planner expects few tasks it would rather fetch and sort them
            # all, and of a user unlike the others they are many.
            + "SET LOCAL enable_sort = off; "
        )
    compiled = {clause: Statement(clause, dialect, pool, availability, prefix) for clause in statements}
    app.extensions[__name__] = Database(pool, compiled, Readiness(ask))


def _sqlite_options() -> dict[str, Any]:
    return {"timeout": SQLITE_BUSY_SECONDS, "isolation_level": None}


def _postgresql_options(settings: Settings) -> dict[str, Any]:
    return {
        "connect_timeout": settings.db_connect_timeout_seconds,
        "tcp_user_timeout": 1000 * settings.db_connect_timeout_seconds,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "application_name": "todo-api",
        "client_encoding": "utf8",
    }


def _time_limits(lock_seconds: int, statement_seconds: int) -> str:
    """Put before a statement, in its own round trip and transaction.

    A pooler in transaction mode allows neither start-up options nor a session's SET.
    """
    return f"SET LOCAL lock_timeout = {1000 * lock_seconds}; SET LOCAL statement_timeout = {1000 * statement_seconds}; "


def _set_up_sqlite(connection: Any) -> None:
    # FULL: a task that was acknowledged survives a power cut.
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _set_up_postgresql(connection: Any) -> None:
    connection.autocommit = True


def _trusts(availability: Availability) -> Callable[[Pooled], bool]:
    def is_usable(pooled: Pooled) -> bool:
        # One from before the database stopped answering may never be told that it is closed.
        oldest = max(availability.lost, monotonic() - POOL_RECYCLE_SECONDS)
        return pooled.made > oldest and not can_be_read(pooled.connection)

    return is_usable


def _select_from_every_table() -> str:
    return "; ".join(f"SELECT 1 FROM {table} LIMIT 1" for table in Base.metadata.tables)


def _ask_sqlite(path: Path) -> Callable[[float], None]:
    def ask(deadline: float) -> None:
        # As a URI, which makes no file where there is none.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=READY_SECONDS / 2)
        try:
            for statement in _select_from_every_table().split("; "):
                connection.execute(statement)
        finally:
            connection.close()

    return ask


def _ask_postgresql(*arguments: Any, **options: Any) -> Callable[[float], None]:
    def ask(deadline: float) -> None:
        # Asynchronous, so that the limit holds under a server that did not call `bound_waits`, too.
        connection = psycopg2.connect(*arguments, **options, async_=True)
        try:
            wait_until(deadline, connection)
            # The server stops as well: behind a lock on the table these questions would pile up.
            prefix = _time_limits(READY_SECONDS, READY_SECONDS)
            cursor = connection.cursor()
            cursor.execute(prefix + _select_from_every_table())
            wait_until(deadline, connection)
        finally:
            connection.close()

    return ask
