"""Statements, each compiled once for one kind of database."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Dialect, Executable
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]


class Statement:
    """A compiled statement: its SQL, and how values go into it and come out.

    It goes straight to the driver: the same through a SQLAlchemy connection costs twice the processor time. What
    SQLAlchemy would do at run time is therefore refused: when the statement is compiled, with CompileError, a default
    that Python computes, and `IN` with a list, whose placeholders depend on the values; with TypeError, a parameter
    that the statement does not have, which SQLAlchemy would add to what an INSERT or UPDATE sets.
    """

    def __init__(self, clause: Executable, dialect: Dialect) -> None:
        compiled = clause.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        if computed := [*compiled.insert_prefetch, *compiled.update_prefetch]:
            names = ", ".join(str(column) for column in computed)
            raise CompileError(f"a value has to be given for {names}: `default` and `onupdate` are not applied")
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise CompileError("IN with a list is not supported: compare with an array, or with json_each")
        self.sql = compiled.string
        self.writes = not clause.is_select
        self._order = compiled.positiontup
        self._binds = compiled.binds
        self._defaults = {name: bind for name, bind in compiled.binds.items() if not bind.required}
        binds = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
        self._bind = {name: process for name, type_ in binds.items() if (process := type_.bind_processor(dialect))}
        self._columns = compiled._result_columns  # as they are in the SQL: what is deferred is not
        self._dialect = dialect
        # The columns whose type converts values: where they are, and how. Known after the first answer.
        self._result: list[tuple[int, Callable[[Any], Any]]] | None = None

    def bound(self, parameters: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them."""
        if not parameters.keys() <= self._binds.keys():
            unknown = ", ".join(parameters.keys() - self._binds.keys())
            raise TypeError(f"the statement has no parameter {unknown}")
        if self._defaults:
            parameters = {**{name: bind.effective_value for name, bind in self._defaults.items()}, **parameters}
        if self._bind:
            parameters = {
                name: self._bind[name](value) if name in self._bind else value for name, value in parameters.items()
            }
        return parameters if self._order is None else [parameters[name] for name in self._order]

    def read(self, rows: list[Row], description: Any) -> list[Row]:
        """The driver's rows with values as the columns' types make them; `description` is the cursor's."""
        if self._result is None:
            types = [column.type.dialect_impl(self._dialect) for column in self._columns]
            codes = [column[1] for column in description or ()]  # of the driver's types: numbers depend on them
            pairs = enumerate(zip(types, codes, strict=False))
            processors = ((at, type_.result_processor(self._dialect, code)) for at, (type_, code) in pairs)
            self._result = [(at, process) for at, process in processors if process]
        return [self._converted(row) for row in rows] if self._result else rows

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for at, process in self._result or ():
            values[at] = process(values[at])
        return tuple(values)
