"""What means the same on SQLite and PostgreSQL: points in time, lists, parameters that hold many values."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Dialect, Text, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """The microseconds since 1970 of a time in UTC, which may be naive."""
    return (at.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


class _Microseconds(TypeDecorator[datetime]):
    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        difference = value - EPOCH if isinstance(value, datetime) else value
        return value if value is None else difference // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return value if value is None else EPOCH.replace(tzinfo=None) + value * MICROSECOND


class _InstantInUTC(TypeDecorator[datetime]):
    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # In UTC whatever the session's time zone, and naive, which is cheaper to read.
        return func.timezone(sa.literal_column("'UTC'"), column, type_=self)


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

    impl = sa.ARRAY
    cache_ok = True

    def __init__(self, length: int) -> None:
        """`length` is that of the longest element."""
        super().__init__(sa.String(length))

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else self.impl_instance)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # psycopg2 makes lists by itself.
        return (lambda value: value and orjson.loads(value)) if dialect.name == "sqlite" else None


class ByDatabase(FunctionElement[Any]):
    """SQL in the form of each database, with the names of its parts in braces."""

    inherit_cache = False  # SQLAlchemy's key for it would leave the forms out

    def __init__(self, postgresql: str, sqlite: str, **parts: ColumnElement[Any]) -> None:
        super().__init__(*parts.values())
        self.forms = {"postgresql": postgresql, "sqlite": sqlite}
        self.names = list(parts)


@compiles(ByDatabase)
def _sql(element: ByDatabase, compiler: SQLCompiler, **options: Any) -> str:
    parts = (compiler.process(part, **options) for part in element.clauses)
    return element.forms[compiler.dialect.name].format_map(dict(zip(element.names, parts, strict=True)))


def any_of(column: Any, parameter: str) -> ByDatabase:
    """Whether a column has one of the values in a parameter, of which there may be none."""
    values = sa.bindparam(parameter, type_=Values)
    in_json = "{column} IN (SELECT value FROM json_each({values}))"
    return ByDatabase("{column} = ANY({values})", in_json, column=column, values=values)


def contains_all(column: Any, parameter: str) -> ByDatabase:
    """Whether a TextList has all of the values in a parameter; neither may hold a value twice."""
    values = sa.bindparam(parameter, type_=column.type)
    # Counted in one reading of the column: to look for each of twenty would take ten times as long.
    has_as_many = (
        "(SELECT count(*) FROM json_each({column}) WHERE value IN (SELECT value FROM json_each({values})))"
        " = json_array_length({values})"
    )
    return ByDatabase("{column} @> {values}", has_as_many, column=column, values=values)


def times_as_text(columns: Iterable[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Columns to select, with each UTCDateTime as text such as `2026-01-16 10:00:00.123456`, in UTC.

    A fraction may lack zeros at its end, or be left out. Datetimes would take psycopg2 a fifth of a list's time.
    """
    in_utc = "CAST(timezone('UTC', {time}) AS TEXT)"
    from_microseconds = "datetime({time} / 1000000, 'unixepoch') || '.' || substr({time}, -6)"
    return [
        ByDatabase(in_utc, from_microseconds, time=column).label(column.name)
        if isinstance(column.type, _InstantInUTC)
        else column
        for column in columns
    ]


class _Rows(TypeDecorator[Sequence[Mapping[str, Any]]]):
    """Rows as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        option = orjson.OPT_PASSTHROUGH_DATETIME if dialect.name == "sqlite" else orjson.OPT_NAIVE_UTC
        return orjson.dumps(value, default=microseconds, option=option).decode()


def rows_in(parameter: str, columns: Sequence[ColumnElement[Any]]) -> sa.FromClause:
    """The rows in a parameter as a table to select from: mappings with the columns' values, and times in UTC."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    typed = ", ".join(f"{column.name} {column.type.compile(dialect)}" for column in columns)
    extracted = ", ".join(f"json_extract(value, '$.{column.name}') AS {column.name}" for column in columns)
    rows = ByDatabase(
        f"(SELECT * FROM json_to_recordset(CAST({{rows}} AS JSON)) AS given({typed}))",
        f"(SELECT {extracted} FROM json_each({{rows}}))",
        rows=sa.bindparam(parameter, type_=_Rows),
    )
    return rows.table_valued(*(column.name for column in columns), name=parameter)
