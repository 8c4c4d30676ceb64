"""Statements, each compiled once for one kind of database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]


class Statement:
    """A compiled statement: its SQL, and how values go into it and come out.

    It goes straight to the driver: the same through a SQLAlchemy connection costs twice the processor time. What
    SQLAlchemy would do at run time is therefore refused when the statement is compiled, with NotImplementedError: a
    default that Python computes, and `IN` with a list, whose placeholders depend on the values.
    """

    def __init__(self, clause: Executable, dialect: Dialect) -> None:
        compiled = clause.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        if computed := [*compiled.insert_prefetch, *compiled.update_prefetch]:
            names = ", ".join(str(column) for column in computed)
            raise NotImplementedError(f"a value has to be given for {names}: `default` and `onupdate` are not applied")
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise NotImplementedError("IN with a list is not supported: compare with an array, or with json_each")
        self.sql = compiled.string
        self.writes = not clause.is_select
        self._order = compiled.positiontup
        self._defaults = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        binds = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
        self._bind = {name: process for name, type_ in binds.items() if (process := type_.bind_processor(dialect))}
        columns = [column.type.dialect_impl(dialect) for column in getattr(clause, "exported_columns", ())]
        processors = enumerate(type_.result_processor(dialect, None) for type_ in columns)
        self._result = [(at, process) for at, process in processors if process]

    def bound(self, parameters: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them."""
        if self._defaults:
            parameters = {**self._defaults, **parameters}
        if self._bind:
            parameters = {
                name: self._bind[name](value) if name in self._bind else value for name, value in parameters.items()
            }
        return parameters if self._order is None else [parameters[name] for name in self._order]

    def read(self, rows: list[Row]) -> list[Row]:
        """The driver's rows with values as the columns' types make them."""
        return [self._converted(row) for row in rows] if self._result else rows

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for at, process in self._result:
            if values[at] is not None:
                values[at] = process(values[at])
        return tuple(values)
