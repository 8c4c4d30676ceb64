"""`run` and `transaction` do with SQLAlchemy's types and parameters what its own connection does, or refuse loudly."""

import enum
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg2
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Column, MetaData, Table, bindparam, func, insert, literal, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, load_only, mapped_column

from todo_api.platform.db.engine import db, run, transaction


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Words(sa.TypeDecorator[list[str]]):
    """A list in a text; there is no null, only an empty list."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return " ".join(value or ()) or None

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value.split() if value else []


VALUES: list[tuple[Any, Any]] = [
    (sa.Enum(Colour), Colour.BLUE),
    (sa.JSON(), {"a": [1, None, "ü"]}),
    (sa.Uuid(), UUID(int=5)),
    (sa.Numeric(10, 2), Decimal("1.50")),
    (sa.Float(), 1.5),
    (sa.Date(), date(2026, 1, 2)),
    (sa.Time(), time(3, 4, 5)),
    (sa.DateTime(), datetime(2026, 1, 2, 3, 4, 5, 6)),
    (sa.Interval(), timedelta(days=1, seconds=2)),
    (sa.LargeBinary(), b"\x00\xff"),
    (sa.Boolean(), True),
    (Words(), ["a", "b"]),
]
metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", sa.Integer, primary_key=True, autoincrement=False),
    *(Column(type(type_).__name__, type_) for type_, _ in VALUES),
)


class OtherBase(DeclarativeBase):
    pass


class Person(OtherBase):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    story: Mapped[str | None] = mapped_column(deferred=True)
    born: Mapped[date]


@pytest.fixture(autouse=True)
def tables(app: Flask) -> Iterator[None]:
    with app.app_context():
        for tables in (metadata, OtherBase.metadata):
            tables.create_all(db.engine)
        yield
        for tables in (metadata, OtherBase.metadata):
            tables.drop_all(db.engine)


@pytest.mark.parametrize(("type_", "value"), VALUES, ids=lambda value: type(value).__name__)
def test_a_value_of_any_type_comes_back_as_it_was(type_: Any, value: Any) -> None:
    column = things.c[type(type_).__name__]
    run(insert(things).values({"id": 1, column.name: value}))
    assert run(select(column)) == [(value,)]
    new = update(things).values({column: bindparam("new", type_=type_)}).returning(column)
    assert run(new, new=value) == [(value,)]


def test_null_is_what_the_columns_type_makes_of_it() -> None:
    run(insert(things).values(id=1))
    assert run(select(things.c.Words, things.c.Date)) == [([], None)]


def test_a_number_that_the_database_computes_is_a_decimal() -> None:
    run(insert(things).values([{"id": 1, "Numeric": Decimal("1.50")}, {"id": 2, "Numeric": Decimal("2.25")}]))
    assert run(select(func.sum(things.c.Numeric), literal(3) / 2)) == [(Decimal("3.75"), Decimal("1.5"))]


@pytest.mark.parametrize("options", [(), (load_only(Person.born),)], ids=["deferred", "load_only"])
def test_the_columns_of_a_model_are_read_by_their_types_whichever_are_left_out(options: Any) -> None:
    run(insert(Person).values(id=1, born=date(2026, 1, 2)))
    assert run(select(Person).options(*options)) == [(1, date(2026, 1, 2))]


def test_a_parameter_may_be_computed_when_the_statement_runs() -> None:
    computed = iter([1, 2])
    clause = select(bindparam("number", callable_=lambda: next(computed), type_=sa.Integer))
    assert [run(clause), run(clause)] == [[(1,)], [(2,)]]


@pytest.mark.parametrize("clause", [insert(things).values(id=1), update(things).values(id=1), select(things.c.id)])
def test_a_parameter_that_the_statement_does_not_have_is_refused(clause: Any) -> None:
    with pytest.raises(TypeError, match="the statement has no parameter Boolean"):
        run(clause, Boolean=True)


def test_a_mistake_in_sql_is_a_fault_of_ours_and_no_outage() -> None:
    with pytest.raises((sqlite3.OperationalError, psycopg2.ProgrammingError)):
        run(text("SELEC 1"))


# Transactions


def stored() -> set[int]:
    return {row[0] for row in run(select(things.c.id))}


def add(number: int) -> Any:
    return insert(things).values(id=number)


@pytest.mark.parametrize("inner", [lambda: run(add(2)), lambda: run(select(1)), lambda: transaction().__enter__()])
def test_what_would_not_be_part_of_a_transaction_is_refused_inside(inner: Any) -> None:
    def mix() -> None:
        with transaction() as run_in_it:
            run_in_it(add(1))
            inner()

    with pytest.raises(RuntimeError, match="by the function that it yields"):
        mix()
    assert stored() == set()
    run(add(3))
    assert stored() == {3}


def test_a_transaction_of_which_a_statement_failed_is_rolled_back_even_if_the_error_is_caught() -> None:
    def catch() -> None:
        with transaction() as run_in_it:
            run_in_it(add(1))
            with suppress(Exception):
                run_in_it(add(1))

    with pytest.raises(RuntimeError, match="has failed"):
        catch()
    assert stored() == set()


def test_a_transaction_that_has_ended_runs_nothing() -> None:
    with transaction() as run_in_it:
        run_in_it(add(1))
    with pytest.raises(RuntimeError, match="has ended"):
        run_in_it(add(2))
    assert stored() == {1}
