"""What is logged: a line a request, faults once, and nothing that is secret."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.apps import make_app
from tests.support.databases import sqlite_url
from tests.support.errors import assert_error
from tests.support.marks import one_database
from todo_api.platform import logs

REQUEST = ["time", "level", "request_id", "method", "route", "status", "duration_ms", "bytes"]


@pytest.fixture(autouse=True)
def captured_output(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever standard output was when it was looked at last."""
    logs._output.cache_clear()
    yield
    logs._output.cache_clear()


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """What was logged since the last call."""
    return lambda: [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]


@pytest.fixture
def faulty(tmp_path: Path) -> FlaskClient:
    app = make_app(sqlite_url(tmp_path))

    @app.route("/fault/<name>")
    def fault(name: str) -> str:
        try:
            int("a private number")
        except ValueError as error:
            raise RuntimeError("a private text") from error
        return name

    return app.test_client()


@one_database
def test_each_request_is_one_line_with_its_template_and_without_its_user(
    alice: FlaskClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    lines()
    response = alice.post("/api/alice/tasks", json={"title": "Buy milk"})
    [line] = lines()
    assert list(line) == REQUEST
    assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert (line["level"], line["method"], line["route"]) == ("info", "POST", "/api/<user_id>/tasks")
    assert (line["status"], line["bytes"]) == (201, len(response.data))
    assert 0 < line["duration_ms"] < 60_000
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert "alice" not in str(line)
    assert "milk" not in str(line)


@one_database
def test_answers_without_a_body_and_unknown_paths_are_logged_too(
    anonymous: FlaskClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    lines()
    anonymous.head("/health")
    anonymous.get("/somewhere/else")
    anonymous.options("/api/alice/tasks", headers={"Access-Control-Request-Method": "POST"})
    found = [(line["method"], line["route"], line["status"], line["bytes"]) for line in lines()]
    assert found == [("HEAD", "/health", 200, 0), ("GET", None, 404, 40), ("OPTIONS", "/api/<user_id>/tasks", 200, 0)]


@one_database
@pytest.mark.parametrize("given", ["abc", "A-1_2.3", "0" * 128])
def test_a_well_formed_request_id_is_taken_and_returned(anonymous: FlaskClient, given: str) -> None:
    response = anonymous.get("/health", headers={"X-Request-ID": given})
    assert response.headers.getlist("X-Request-ID") == [given]


@one_database
@pytest.mark.parametrize("given", ["", "a b", "a;b", '"', "ä", "0" * 129, "a\tb"])
def test_any_other_is_replaced_by_a_new_one(anonymous: FlaskClient, given: str) -> None:
    answers = [anonymous.get("/health", headers={"X-Request-ID": given}) for _ in range(2)]
    found = [answer.headers["X-Request-ID"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{32}", identifier) for identifier in found)
    assert found[0] != found[1]


@one_database
def test_errors_carry_the_request_id(alice: FlaskClient) -> None:
    answers = [
        alice.get("/nowhere"),
        alice.post("/health"),
        alice.get("/api/alice/tasks/x"),
        alice.get("/api/bob/tasks"),
        alice.get("/api/alice/tasks", headers={"Authorization": "Bearer no"}),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 422, 403, 401]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)


def test_a_fault_of_ours_is_logged_once_with_its_origin_and_request_id_but_not_its_text(
    faulty: FlaskClient, lines: Callable[[], list[dict[str, Any]]], capfd: pytest.CaptureFixture[str]
) -> None:
    lines()
    response = faulty.get("/fault/private", headers={"X-Request-ID": "abc"})
    assert_error(response, 500, "Internal Server Error")
    assert response.headers["X-Request-ID"] == "abc"
    output = capfd.readouterr()
    [fault, line] = [json.loads(text) for text in output.out.splitlines()]
    assert (fault["level"], fault["message"], fault["request_id"]) == ("error", "unhandled exception", "abc")
    assert fault["traceback"].index("ValueError") < fault["traceback"].index("RuntimeError")
    assert 'int("a private number")' in fault["traceback"]
    assert "/fault/private" not in output.out
    assert "invalid literal" not in output.out
    assert output.err == ""
    assert (line["level"], line["status"], line["request_id"]) == ("error", 500, "abc")


def test_a_stack_that_is_asked_for_is_logged(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logs.logging.getLogger("todo_api.mine").warning("here", stack_info=True)
    [line] = lines()
    assert "test_a_stack_that_is_asked_for_is_logged" in line["traceback"]


def test_debug_logs_more_and_changes_nothing_else(tmp_path: Path) -> None:
    app = make_app(sqlite_url(tmp_path), debug=True)
    assert app.debug is False
    assert logs.logging.getLogger("todo_api").isEnabledFor(logs.logging.DEBUG)
    make_app(sqlite_url(tmp_path))
    assert not logs.logging.getLogger("todo_api").isEnabledFor(logs.logging.DEBUG)


def test_no_token_body_or_parameter_reaches_the_log(
    app: Flask, alice: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    token = alice.environ_base["HTTP_AUTHORIZATION"].split()[1]
    location = alice.post("/api/alice/tasks", json={"title": "secret-title"}).headers["Location"]
    alice.put(location, json={"title": "x" * 201, "description": "secret-description"})
    alice.get("/api/alice/tasks?cursor=secret-cursor")
    alice.get("/api/alice/tasks", headers={"Authorization": "Bearer secret-token"})
    output = "".join(capfd.readouterr())
    assert output.count('"status"') == 4
    assert token not in output
    assert "secret" not in output
