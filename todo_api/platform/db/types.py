"""Types whose values are the same on SQLite and PostgreSQL: points in time, lists of strings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, DateTime, Dialect, String, Text, func, literal_column
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """The microseconds since 1970 of a time in UTC, which may be naive."""
    return (at.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


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
        # In UTC whatever the session's time zone, and naive, which is cheaper to read.
        return func.timezone(literal_column("'UTC'"), column, type_=self)


# Aware when bound, naive in UTC when read; on SQLite whole microseconds since 1970. A timedelta can be bound as well:
# `updated_at + MICROSECOND` is one expression on both databases.
UTCDateTime = _InstantInUTC().with_variant(_Microseconds(), "sqlite")


class Values(TypeDecorator[list[Any]]):
    """A list as the driver takes it: an array on PostgreSQL, JSON on SQLite; null for an empty one."""

    impl: Any = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if not value:
            return None
        return orjson.dumps(list(value)).decode() if dialect.name == "sqlite" else list(value)


class TextList(Values):
    """A list of strings in a column. An empty one is stored as null, which is cheap to read."""

    impl = ARRAY
    cache_ok = True

    def __init__(self, length: int) -> None:
        """`length` is that of the longest element."""
        super().__init__(String(length))

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else self.impl_instance)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # psycopg2 makes lists by itself.
        return orjson.loads if dialect.name == "sqlite" else None
