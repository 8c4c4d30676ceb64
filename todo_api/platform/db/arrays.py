"""Parameters that hold many values, on both databases: a list to compare a column with, and rows to write."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, Dialect, FromClause, Text, bindparam, cast, column, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator

from todo_api.platform.db.types import EPOCH, MICROSECOND


class _Values(TypeDecorator[Any]):
    """A list as the driver takes it: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return list(value) if dialect.name == "postgresql" else orjson.dumps(list(value)).decode()


class any_of(ColumnElement[bool]):
    """Whether a column has one of the values in a parameter, which may be none."""

    inherit_cache = True

    def __init__(self, compared: Any, parameter: str) -> None:
        self.compared = compared
        self.values = bindparam(parameter, type_=_Values)


@compiles(any_of)
def _in_json(element: any_of, compiler: SQLCompiler, **options: Any) -> str:
    compared, values = compiler.process(element.compared, **options), compiler.process(element.values, **options)
    return f"{compared} IN (SELECT value FROM json_each({values}))"


@compiles(any_of, "postgresql")
def _in_array(element: any_of, compiler: SQLCompiler, **options: Any) -> str:
    compared, values = compiler.process(element.compared, **options), compiler.process(element.values, **options)
    return f"{compared} = ANY({values})"


class contains_all(ColumnElement[bool]):
    """Whether a TextList has all the strings in a parameter."""

    inherit_cache = True

    def __init__(self, strings: Any, parameter: str) -> None:
        self.strings = strings
        self.values = bindparam(parameter, type_=strings.type)


@compiles(contains_all)
def _all_in_json(element: contains_all, compiler: SQLCompiler, **options: Any) -> str:
    strings, values = compiler.process(element.strings, **options), compiler.process(element.values, **options)
    found = f"SELECT 1 FROM json_each({strings}) AS string WHERE string.value = wanted.value"
    return f"NOT EXISTS (SELECT 1 FROM json_each({values}) AS wanted WHERE NOT EXISTS ({found}))"


@compiles(contains_all, "postgresql")
def _all_in_array(element: contains_all, compiler: SQLCompiler, **options: Any) -> str:
    strings, values = compiler.process(element.strings, **options), compiler.process(element.values, **options)
    return f"{strings} @> {values}"


def rows_in(parameter: str, columns: Sequence[ColumnElement[Any]], dialect: str) -> FromClause:
    """The rows of a parameter, which `as_parameter` makes, as something to select from. `dialect` is its name."""
    given = bindparam(parameter, type_=Text)
    if dialect == "postgresql":
        typed = [column(each.name, getattr(each.type, "impl_instance", each.type)) for each in columns]
        rows = func.json_to_recordset(cast(given, JSON)).table_valued(*typed)
        return rows.render_derived(name=parameter, with_types=True)
    element = func.json_each(given).table_valued("value", name="element")
    return select(
        *(func.json_extract(element.c.value, f"$.{each.name}").label(each.name) for each in columns)
    ).subquery(parameter)


def as_parameter(rows: Sequence[Mapping[str, Any]], dialect: str) -> str:
    """Rows for `rows_in`; times are aware."""
    option = 0 if dialect == "postgresql" else orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(rows, default=_microseconds, option=option).decode()


def _microseconds(value: object) -> int:
    if not isinstance(value, datetime):
        raise TypeError
    return (value - EPOCH) // MICROSECOND
