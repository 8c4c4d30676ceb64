"""Points in time that are the same on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


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
    """A point in time: aware when bound, naive in UTC when read; on SQLite whole microseconds since 1970.

    A timedelta can be bound as well, so that `updated_at + MICROSECOND` is one expression on both databases.
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
