"""Parameters that hold many values, on both databases: a list to compare a column with, and rows to write."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, FromClause, Text, bindparam, cast, column, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from todo_api.platform.db.types import Values, microseconds


class _Comparison(ColumnElement[bool]):
    """Compares a column with the values in a parameter, in the SQL of each database."""

    postgresql: str
    sqlite: str

    def __init__(self, compared: Any, parameter: str) -> None:
        self.compared = compared
        self.values = bindparam(parameter, type_=compared.type if isinstance(compared.type, Values) else Values)


@compiles(_Comparison)
def _sql(element: _Comparison, compiler: SQLCompiler, **options: Any) -> str:
    form = element.postgresql if compiler.dialect.name == "postgresql" else element.sqlite
    compared, values = compiler.process(element.compared, **options), compiler.process(element.values, **options)
    return form.format(compared=compared, values=values)


class any_of(_Comparison):
    """Whether a column has one of the values, of which there may be none."""

    inherit_cache = True
    postgresql = "{compared} = ANY({values})"
    sqlite = "{compared} IN (SELECT value FROM json_each({values}))"


class contains_all(_Comparison):
    """Whether a TextList has all of the values."""

    inherit_cache = True
    postgresql = "{compared} @> {values}"
    sqlite = (
        "NOT EXISTS (SELECT 1 FROM json_each({values}) AS wanted WHERE NOT EXISTS "
        "(SELECT 1 FROM json_each({compared}) AS string WHERE string.value = wanted.value))"
    )


def rows_in(parameter: str, columns: Sequence[ColumnElement[Any]], dialect: str) -> FromClause:
    """The rows in a parameter, made by `as_parameter`, as a table to select from. `dialect` is its name."""
    given = bindparam(parameter, type_=Text)
    if dialect == "postgresql":
        typed = [column(field.name, getattr(field.type, "impl_instance", field.type)) for field in columns]
        rows = func.json_to_recordset(cast(given, JSON)).table_valued(*typed)
        return rows.render_derived(name=parameter, with_types=True)
    element = func.json_each(given).table_valued("value", name="element")
    names = [field.name for field in columns]
    return select(*(func.json_extract(element.c.value, f"$.{name}").label(name) for name in names)).subquery(parameter)


def as_parameter(rows: Sequence[Mapping[str, Any]], dialect: str) -> str:
    """Rows as a parameter of `rows_in`, which takes what it needs of each; times are in UTC, without a zone."""
    option = orjson.OPT_NAIVE_UTC if dialect == "postgresql" else orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.dumps(rows, default=microseconds, option=option).decode()
