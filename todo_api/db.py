"""The database: engine and pool for SQLite and PostgreSQL, UTC times, and statements compiled once."""

import logging
import select
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Engine, Executable, event
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator

from todo_api.config import Settings

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MIGRATE_COMMAND = "flask --app wsgi db upgrade"
# One writer at a time; eight that commit to disk need far less, and a request must end within ten seconds.
SQLITE_BUSY_SECONDS = 8
POOL_TIMEOUT_SECONDS = 3
# Shorter than the five minutes after which a serverless PostgreSQL sleeps.
POOL_RECYCLE_SECONDS = 240

Row = tuple[Any, ...]


class Unavailable(Exception):
    """The database did not answer, or has no schema yet; a write may have happened all the same."""


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class _in_utc(ColumnElement[datetime]):
    """A stored time as it is read: in UTC whatever the session's time zone, and without one, which is cheaper."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(_in_utc)
def _as_stored(element: _in_utc, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.column, **options)


@compiles(_in_utc, "postgresql")
def _at_time_zone(element: _in_utc, compiler: SQLCompiler, **options: Any) -> str:
    return f"timezone('UTC', {compiler.process(element.column, **options)})"


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time: aware going in, naive in UTC coming out; on SQLite whole microseconds since 1970.

    A timedelta goes in as well, so that `updated_at + MICROSECOND` is one expression on both databases.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else self.impl_instance)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return _in_utc(column)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        if dialect.name != "sqlite":
            return None
        return lambda value: (value if isinstance(value, timedelta) else value - EPOCH) // MICROSECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.name != "sqlite":
            return None
        start = EPOCH.replace(tzinfo=None)
        return lambda value: start + value * MICROSECOND


class Statement:
    """A statement compiled once for an engine. Calling it is one round trip in autocommit, never repeated on our own.

    It goes straight to the driver through the engine's pool: the same through a SQLAlchemy connection costs twice
    the processor time.
    """

    def __init__(self, clause: Executable, engine: Engine, prefix: str) -> None:
        dialect = engine.dialect
        compiled = clause.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self._pool = engine.pool
        self._sql = prefix + compiled.string
        self._order = compiled.positiontup
        self._defaults = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._bind = _processors(
            {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        )
        columns = enumerate(clause.exported_columns)  # type: ignore[attr-defined]
        self._result = _processors(
            {at: column.type.dialect_impl(dialect).result_processor(dialect, None) for at, column in columns}
        )
        self._errors: tuple[type[Exception], ...] = (dialect.loaded_dbapi.Error, SQLAlchemyError)

    def __call__(self, parameters: Mapping[str, Any]) -> list[Row]:
        """The rows. Raises Unavailable, and the driver's own error for what is a fault of ours."""
        connection: PoolProxiedConnection | None = None
        try:
            connection = self._pool.connect()
            cursor = connection.cursor()
            cursor.execute(self._sql, self._bound(parameters))
            rows: list[Row] = cursor.fetchall()  # type: ignore[assignment]
        except self._errors as error:
            if connection is not None:
                connection.invalidate()
            raise _explained(error) from error
        else:
            connection.close()
        if self._result:
            return [self._read(row) for row in rows]
        return rows

    def _bound(self, parameters: Mapping[str, Any]) -> Any:
        if self._defaults:
            parameters = {**self._defaults, **parameters}
        if self._bind:
            parameters = {
                name: self._bind[name](value) if name in self._bind else value for name, value in parameters.items()
            }
        return parameters if self._order is None else [parameters[name] for name in self._order]

    def _read(self, row: Row) -> Row:
        return tuple(
            self._result[at](value) if at in self._result and value is not None else value
            for at, value in enumerate(row)
        )


def _processors(found: Mapping[Any, Callable[[Any], Any] | None]) -> dict[Any, Callable[[Any], Any]]:
    return {key: processor for key, processor in found.items() if processor is not None}


def run(clause: Executable, **parameters: Any) -> list[Row]:
    """Run one statement on the current app's database and return its rows. Raises Unavailable."""
    statements = current_app.extensions[__name__]
    statement = statements.get(clause)
    if statement is None:
        statement = statements[clause] = Statement(clause, db.engine, current_app.config["STATEMENT_PREFIX"])
    rows: list[Row] = statement(parameters)
    return rows


def _explained(error: Exception) -> Exception:
    """Unavailable, with a line in the log, or the error itself where the database is not to blame."""
    missing_table = isinstance(error, psycopg2.errors.UndefinedTable) or str(error).startswith("no such table")
    ours = (
        psycopg2.IntegrityError, psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.NotSupportedError,
        sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.NotSupportedError,
    )  # fmt: skip
    if missing_table:
        log.error("the database has no schema yet: run `%s`", MIGRATE_COMMAND)
    elif isinstance(error, ours):
        return error
    else:
        # The driver's text may hold addresses and user names, so its class and SQLSTATE have to do.
        log.error("database unavailable: %s %s", type(error).__name__, getattr(error, "pgcode", None) or "")
    return Unavailable()


def init_app(app: Flask, settings: Settings) -> None:
    url = settings.database(app.instance_path)
    options: dict[str, Any] = {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": settings.threads,
        "max_overflow": 0,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        "pool_reset_on_return": None,
        "pool_use_lifo": True,
        "hide_parameters": True,
    }
    prefix = ""
    if url.drivername == "sqlite":
        options["connect_args"] = {"timeout": SQLITE_BUSY_SECONDS}
    else:
        options["pool_recycle"] = POOL_RECYCLE_SECONDS
        options["connect_args"] = {
            "connect_timeout": settings.db_connect_timeout_seconds,
            "tcp_user_timeout": 1000 * settings.db_connect_timeout_seconds,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "application_name": "todo-api",
        }
        # In the statement's own round trip and transaction: a pooler in transaction mode allows neither start-up
        # options nor a session's SET.
        prefix = (
            f"SET LOCAL lock_timeout = {1000 * settings.db_lock_timeout_seconds}; "
            f"SET LOCAL statement_timeout = {1000 * settings.db_statement_timeout_seconds}; "
            # A list comes in its index's order. Where the planner expects few tasks it would rather fetch and sort them
            # all, and of a user unlike the others they are many.
            "SET LOCAL enable_sort = off; "
        )
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    app.config["STATEMENT_PREFIX"] = prefix
    db.init_app(app)
    app.extensions[__name__] = {}
    with app.app_context():
        if url.drivername == "sqlite":
            event.listen(db.engine, "connect", _set_up_sqlite)
        else:
            event.listen(db.engine, "connect", _watch_socket)
            event.listen(db.engine, "checkout", _notice_closed_socket)


def _set_up_sqlite(connection: Any, record: Any) -> None:
    # FULL: a task that was acknowledged survives a power cut.
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _watch_socket(connection: Any, record: Any) -> None:
    poller = record.info["poller"] = select.poll()
    poller.register(connection.fileno(), select.POLLIN)


def _notice_closed_socket(connection: Any, record: Any, proxy: Any) -> None:
    """Nobody waits for an answer on a pooled connection, so one that can be read was closed by the server."""
    if record.info["poller"].poll(0):
        raise DisconnectionError("closed while pooled")
