"""Requests at the same time: nothing is lost, nothing is done twice."""

import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.apps import client_for, disposed, make_app, migrated
from tests.support.databases import Postgres, sqlite_url
from tests.support.errors import assert_error
from tests.support.tasks import TASKS

THREADS = 8

ClientOf = Callable[[str], FlaskClient]


def at_once(
    client_of: ClientOf, *requests: Callable[[FlaskClient, int], TestResponse], times: int
) -> list[TestResponse]:
    """The answers of each request `times` times, over eight threads that start together."""
    start = threading.Barrier(THREADS)

    def work(number: int) -> list[TestResponse]:
        client, send = client_of("alice"), requests[number % len(requests)]
        start.wait()
        return [send(client, turn) for turn in range(times * len(requests) // THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        return [response for responses in pool.map(work, range(THREADS)) for response in responses]


def test_200_parallel_toggles_flip_200_times(client_of: ClientOf, alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x"})
    answers = at_once(client_of, lambda client, turn: client.patch(f"{TASKS}/1/complete"), times=200)
    assert [response.status_code for response in answers] == [200] * 200
    # In the order of the database, which the times tell, each found what the one before had left.
    in_order = sorted((response.json for response in answers), key=lambda task: task["updated_at"])
    assert [task["completed"] for task in in_order] == [True, False] * 100
    assert len({task["updated_at"] for task in in_order}) == 200
    assert alice.get(f"{TASKS}/1").json == in_order[-1]


def test_writers_of_different_fields_never_overwrite_each_other(client_of: ClientOf, alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x"})
    answers = at_once(
        client_of,
        lambda client, turn: client.put(f"{TASKS}/1", json={"title": f"title {turn}"}),
        lambda client, turn: client.put(f"{TASKS}/1", json={"description": f"description {turn}"}),
        times=80,
    )
    assert [response.status_code for response in answers] == [200] * 160
    in_order = sorted((response.json for response in answers), key=lambda task: task["updated_at"])
    for before, after in pairwise(in_order):
        # Each update changed one field or, to the same value, none, and kept what the other writers had written.
        assert before["title"] == after["title"] or before["description"] == after["description"]
    assert len({task["updated_at"] for task in in_order}) == 160
    assert alice.get(f"{TASKS}/1").json == in_order[-1]


def test_one_of_eight_deletes_wins(client_of: ClientOf, alice: FlaskClient) -> None:
    for number in range(1, 6):
        alice.post(TASKS, json={"title": "x"})
        answers = at_once(client_of, lambda client, turn, path=f"{TASKS}/{number}": client.delete(path), times=THREADS)
        assert sorted(response.status_code for response in answers) == [204] + [404] * 7


def test_eight_threads_that_write_all_succeed(client_of: ClientOf, alice: FlaskClient) -> None:
    def write(client: FlaskClient, turn: int) -> TestResponse:
        location = client.post(TASKS, json={"title": "x"}).headers["Location"]
        client.put(location, json={"title": "y"})
        client.get(TASKS)
        return client.patch(f"{location}/complete")

    answers = at_once(client_of, write, times=160)
    assert [response.status_code for response in answers] == [200] * 160
    tasks = alice.get(TASKS).json
    assert sorted(task["id"] for task in tasks) == list(range(1, 161))
    assert {(task["title"], task["completed"]) for task in tasks} == {("y", True)}


def test_connections_that_the_database_closed_are_replaced_however_many_find_out_at_once(
    postgres: Postgres, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: sys.setswitchinterval(0.005))
    sys.setswitchinterval(1e-6)
    with postgres.database() as url, disposed(migrated(make_app(url))) as app:
        for _ in range(8):
            answers = at_once(partial(client_for, app), lambda client, turn: client.get(TASKS), times=2 * THREADS)
            assert {response.status_code for response in answers} == {200}
            Postgres(url).execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
                "WHERE application_name = 'todo-api' AND datname = current_database()"
            )


def test_a_locked_sqlite_file_is_503_for_writers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("todo_api.platform.db.sqlite.BUSY_SECONDS", 0.7)
    app = migrated(make_app(sqlite_url(tmp_path)))
    client = client_for(app, "alice")
    assert client.get("/api/alice/tasks").status_code == 200
    with closing(sqlite3.connect(tmp_path / "todo.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        response = client.post("/api/alice/tasks", json={"title": "No"})
        assert_error(response, 503, "Service Unavailable")
        assert response.headers["Retry-After"] == "1"
        assert client.get("/api/alice/tasks").status_code == 200
    assert client.post("/api/alice/tasks", json={"title": "Yes"}).status_code == 201
