"""Points in time that are the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, func, literal_column
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class _Microseconds(TypeDecorator[datetime]):
    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        difference = value - EPOCH if isinstance(value, datetime) else value
        return value if value is None else difference // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return value if value is None else EPOCH.replace(tzinfo=None) + value * MICROSECOND


class _InstantInUTC(TypeDecorator[datetime]):
    impl = DateTime(timezone=True)
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # In UTC whatever the session's time zone, and without one, which is cheaper to read.
        return func.timezone(literal_column("'UTC'"), column, type_=self)


# Aware when bound, naive in UTC when read; on SQLite whole microseconds since 1970. A timedelta can be bound as well:
# `updated_at + MICROSECOND` is one expression on both databases.
UTCDateTime = _InstantInUTC().with_variant(_Microseconds(), "sqlite")
