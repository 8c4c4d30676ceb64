"""Ordinary habits of Flask, marshmallow and SQLAlchemy work here, or are refused loudly: no silent traps."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validates_schema
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select, update
from sqlalchemy.exc import CompileError

from tests.support.apps import client_for, disposed, make_app, migrated
from tests.support.databases import sqlite_url
from tests.support.errors import assert_error, assert_invalid
from tests.support.tasks import TASKS
from todo_api.platform.db.engine import db, run, transaction
from todo_api.platform.db.types import any_of
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.responses import json_response
from todo_api.tasks import store
from todo_api.tasks.model import Task


@pytest.fixture
def app(tmp_path: Path) -> Any:
    """An app of the test's own, to which it adds what it is about."""
    with disposed(migrated(make_app(sqlite_url(tmp_path)))) as app:
        yield app


# Routes


def test_a_fixed_path_beside_a_variable_one_is_its_own_route(app: Flask) -> None:
    app.add_url_rule("/things/<thing>", view_func=lambda thing: thing, endpoint="thing")
    app.add_url_rule("/things/count", view_func=lambda: "3", endpoint="count")
    client = app.test_client()
    assert (client.get("/things/count").text, client.get("/things/x").text) == ("3", "x")


def test_a_converter_counts(app: Flask) -> None:
    app.add_url_rule("/numbers/<int:number>", view_func=lambda number: str(number + 1), endpoint="number")
    client = app.test_client()
    assert client.get("/numbers/4").text == "5"
    assert_error(client.get("/numbers/x"), 404, "Not Found")


@pytest.mark.parametrize("host", ["a..b", "a" * 70, ".", "xn--a", "\xe9", "a b", "[::1]:80", "", "a:b:c", "%0d%0aX: y"])
def test_any_host_is_served(app: Flask, host: str) -> None:
    app.add_url_rule("/folder/", view_func=lambda: "", endpoint="folder")
    for path, status in ("/health", 200), ("/folder", 308):
        environ = app.test_client().get(path).request.environ
        sent: list[Any] = []
        app({**environ, "HTTP_HOST": host}, lambda *head, sent=sent: sent.append(head))
        assert sent[0][0].startswith(str(status))


def test_a_redirect_leads_to_the_host_that_the_client_called(app: Flask) -> None:
    app.add_url_rule("/folder/", view_func=lambda: "", endpoint="folder")
    client = app.test_client()
    hosts = ["todo.Example.com", "localhost:8000", "[::1]:8000", "my_api", "example.com.", "192.0.2.1:80"]
    locations = [client.get("/folder?x=1", base_url=f"http://{host}").location for host in hosts]
    assert locations == [f"http://{host.lower()}/folder/?x=1" for host in hosts]


@pytest.mark.parametrize("query", ["name=%ff", "\xff=\xff", "name=\xc3"])
def test_a_view_may_ask_for_a_query_whatever_bytes_it_holds(app: Flask, query: str) -> None:
    from flask import request

    app.add_url_rule("/query", view_func=lambda: str(len(request.args)), endpoint="query")
    assert app.test_client().get("/query", environ_overrides={"QUERY_STRING": query}).text == "1"


# Schemas


class Range(Schema):
    """A range whose ends may come in one text."""

    low = fields.Integer(required=True)
    high = fields.Integer(required=True)

    @pre_load
    def split(self, data: Any, **kwargs: Any) -> Any:
        if "range" in data:
            low, _, high = data["range"].partition("-")
            return {"low": low, "high": high}
        return data

    @validates_schema
    def is_in_order(self, data: Any, **kwargs: Any) -> None:
        if data["low"] > data["high"]:
            raise ValidationError("must not be below low", "high")
        if data["low"] == data["high"]:
            raise ValidationError("is empty")

    @post_load
    def as_pair(self, data: Any, **kwargs: Any) -> Any:
        return (data["low"], data["high"])


@pytest.fixture
def ranges(app: Flask) -> FlaskClient:
    blp = Blueprint("ranges", __name__, url_prefix="/ranges")

    @blp.route("", methods=["GET"])
    @blp.arguments(Range, location="query")
    def of_query(pair: Any) -> Response:
        """List"""
        return jsonify(pair)

    @blp.route("", methods=["POST"])
    @blp.arguments(Range, examples={})
    def of_body(pair: Any) -> Response:
        """Create"""
        return jsonify(pair)

    app.register_blueprint(blp)
    return app.test_client()


def test_pre_load_and_post_load_count(ranges: FlaskClient) -> None:
    assert ranges.get("/ranges?range=1-5").json == [1, 5]
    assert ranges.post("/ranges", json={"range": "2-3"}).json == [2, 3]


def test_a_schemas_own_validation_counts(ranges: FlaskClient) -> None:
    response = ranges.get("/ranges?low=5&high=1")
    assert_invalid(response, ("query.high", "value_error"))
    assert response.json["errors"][0]["message"] == "must not be below low"
    assert_invalid(ranges.post("/ranges", json={"low": 1, "high": 1}), ("body", "value_error"))


def test_marshmallows_own_faults_are_answered_in_the_one_shape(ranges: FlaskClient) -> None:
    assert_invalid(ranges.post("/ranges", json={}), ("body.low", "value_error"), ("body.high", "value_error"))


# Statements


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_for(app, "alice")


things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("colour", String, default="red"),
    Column("shape", String, onupdate=lambda: "round"),
)


@pytest.mark.parametrize("clause", [insert(things).values(id=1), update(things).values(id=2)], ids=["insert", "update"])
def test_a_default_that_would_not_be_applied_is_refused(app: Flask, clause: Any) -> None:
    with app.app_context(), pytest.raises(CompileError, match="a value has to be given for"):
        run(clause)


def test_a_list_of_values_is_refused(app: Flask) -> None:
    with app.app_context(), pytest.raises(CompileError, match="IN with a list"):
        run(select(Task.id).where(Task.id.in_([1, 2])))


def test_a_clause_that_is_made_for_the_request_runs(app: Flask, client: FlaskClient) -> None:
    client.post(TASKS, json={"title": "x"})
    with app.app_context():
        assert run(select(Task.title).where(Task.user_id == "alice")) == [("x",)]
        assert run(update(Task).values(title=bindparam("new")), new="y") == []
        assert run(select(Task.title)) == [("y",)]


def test_the_session_reads_tasks_by_the_same_comparisons(app: Flask) -> None:
    alice = client_for(app, "alice")
    for key in ("one", "two"):
        alice.post(TASKS, json={"title": "x", "key": key})
    with app.app_context():
        for column, values in ((Task.id, [1]), (Task.key, ["two"]), (Task.title, ["y"])):
            tasks = db.session.scalars(select(Task).where(any_of(column, "values")), {"values": values})
            assert [getattr(task, column.key) for task in tasks] == ([] if values == ["y"] else values)


def test_a_transaction_takes_effect_as_a_whole_or_not_at_all(app: Flask, client: FlaskClient) -> None:
    for title in ("a", "b"):
        client.post(TASKS, json={"title": title})
    rename = update(Task).where(Task.id == bindparam("task_id")).values(title=bindparam("new"))
    with app.app_context():
        with transaction() as run_in_it:
            run_in_it(rename, task_id=1, new="c")
            assert run_in_it(rename.returning(Task.title), task_id=2, new="d") == [("d",)]
        with suppress(ZeroDivisionError), transaction() as run_in_it:
            run_in_it(rename, task_id=1, new="lost")
            raise ZeroDivisionError
        assert run(select(Task.title).order_by(Task.id)) == [("c",), ("d",)]


# Answers


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("respond", [lambda status: json_response(b"{}", status), lambda status: ("{}", status)])
def test_an_answer_that_has_no_body_has_none(app: Flask, status: int, respond: Callable[[int], Any]) -> None:
    app.add_url_rule("/none", view_func=lambda: respond(status))
    environ = app.test_client().get("/none", buffered=False).request.environ
    sent: list[Any] = []
    assert b"".join(app(environ, lambda *head: sent.append(head))) == b""
    assert "Content-Length" not in dict(sent[0][1])


# Fields


@pytest.mark.parametrize("number", [4, 7])
def test_an_update_may_set_any_number_of_columns(number: int) -> None:
    columns = [*Task.__table__.columns.keys()][:number]
    assert store._update(frozenset(columns)) is store._update(frozenset(columns))
    names = {column.name for column in store._update(frozenset(columns))._values}  # type: ignore[union-attr]
    assert names >= set(columns)
