"""Statements, each compiled once and run in one round trip."""

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from todo_api.platform.db.availability import POOL_WAIT_SECONDS, Availability, Unavailable, is_missing_table
from todo_api.platform.db.pool import Pool, Pooled, PoolExhausted
from todo_api.platform.loop import apart

Row = tuple[Any, ...]

# Errors of which the database is not to blame.
OURS = (
    psycopg2.IntegrityError, psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.NotSupportedError,
    sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.NotSupportedError,
)  # fmt: skip
# Answers of a server in good health that gave up on one statement: its lock timeout, statement timeout, deadlock.
GIVEN_UP = (
    psycopg2.errors.LockNotAvailable,
    psycopg2.errors.QueryCanceled,
    psycopg2.extensions.TransactionRollbackError,
)


class Statement:
    """A statement compiled once. Calling it is one round trip in autocommit, never repeated on our own.

    It goes straight to the driver: the same through a SQLAlchemy connection costs twice the processor time.
    """

    def __init__(
        self, clause: Executable, dialect: Dialect, pool: Pool, availability: Availability, prefix: str
    ) -> None:
        compiled = clause.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self._pool = pool
        self._availability = availability
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
        self._errors: tuple[type[Exception], ...] = (dialect.loaded_dbapi.Error, PoolExhausted)
        # SQLite blocks the thread while another process writes; and until what is written is on the disk.
        self._blocks = dialect.name == "sqlite" and not clause.is_select

    def __call__(self, parameters: Mapping[str, Any]) -> list[Row]:
        """The rows. Raises Unavailable, and the driver's own error for what is a fault of ours."""
        entered = self._availability.enter()
        bound = self._bound(parameters)
        pooled: Pooled | None = None
        try:
            pooled = self._take(entered)
            if self._blocks:
                rows = apart(partial(self._rows, pooled.connection, bound))
            else:
                rows = self._rows(pooled.connection, bound)
        except self._errors as error:
            raise self._explained(error, pooled, entered) from error
        except BaseException:
            if pooled:
                self._pool.discard(pooled)
            raise
        self._pool.give_back(pooled)
        self._availability.answered()
        if self._result:
            return [self._read(row) for row in rows]
        return rows

    def _rows(self, connection: Any, bound: Any) -> list[Row]:
        cursor = connection.cursor()
        cursor.execute(self._sql, bound)
        rows: list[Row] = cursor.fetchall()
        return rows

    def _take(self, entered: float) -> Pooled:
        """A connection, waited for as long as others come back: when none does, the database hangs."""
        while True:
            try:
                return self._pool.take(POOL_WAIT_SECONDS)
            except PoolExhausted:
                if not self._availability.worth_waiting(entered):
                    raise

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

    def _explained(self, error: Exception, pooled: Pooled | None, entered: float) -> Exception:
        """Unavailable, with a line in the log, or the error itself where the database is not to blame."""
        answer = isinstance(error, OURS + GIVEN_UP) or is_missing_table(error) or _is_locked(error)
        if pooled:
            if answer and _is_usable(pooled.connection):
                self._pool.give_back(pooled)
            else:
                self._pool.discard(pooled)
        if answer:
            self._availability.answered()
            if isinstance(error, OURS) and not is_missing_table(error):
                return error
            self._availability.report(error)
        else:
            self._availability.gave_up(entered, error)
        return Unavailable()


def _is_locked(error: Exception) -> bool:
    """SQLite: another process is writing; this one can still read."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _is_usable(connection: Any) -> bool:
    """Whether a connection is as good as new after an error: SQLite's cannot tell, and costs nothing to replace."""
    return (
        isinstance(connection, extensions.connection)
        and not connection.closed
        and connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE
    )


def _processors(found: Mapping[Any, Callable[[Any], Any] | None]) -> dict[Any, Callable[[Any], Any]]:
    return {key: processor for key, processor in found.items() if processor is not None}
