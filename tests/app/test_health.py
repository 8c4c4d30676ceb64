"""Live and ready: `/health` touches nothing, `/health/db` asks the database, in time and not too often."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL

from tests.support.apps import make_app, migrated
from tests.support.databases import Postgres, sqlite_url
from tests.support.errors import assert_error
from tests.support.marks import one_database
from tests.support.proxy import Proxy
from tests.support.tokens import bearer
from todo_api.platform.db.engine import database, db

CONNECTED = (200, {"status": "healthy", "database": "connected"})
DISCONNECTED = (503, {"status": "unhealthy", "database": "disconnected"})


def ready(app: Flask) -> tuple[int, object]:
    response = app.test_client().get("/health/db")
    assert response.content_type == "application/json"
    return response.status_code, response.json


@one_database
def test_it_is_live(anonymous: FlaskClient) -> None:
    response = anonymous.get("/health")
    assert (response.status_code, response.json) == (200, {"status": "healthy", "service": "todo-api"})


def test_it_is_ready_with_database_and_schema(app: Flask) -> None:
    assert ready(app) == CONNECTED


def test_it_is_not_ready_while_the_server_drains(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "is_draining", lambda: True)
    assert ready(app) == DISCONNECTED
    monkeypatch.setattr(app, "is_draining", lambda: False)
    assert ready(app) == CONNECTED


def test_an_exhausted_pool_does_not_make_it_unready(app: Flask) -> None:
    with app.app_context():
        pool = database().pool
    held = [pool.take(0) for _ in range(pool.size)]
    time.sleep(1)
    assert ready(app) == CONNECTED
    for connection in held:
        pool.give_back(connection)


def test_it_is_not_ready_without_the_schema_and_the_log_names_the_command(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.database() as url:
        for empty in (url, sqlite_url(tmp_path)):
            if empty is not url:
                Path(str(empty.database)).touch()
            caplog.clear()
            app = make_app(empty)
            assert ready(app) == DISCONNECTED
            assert [record.getMessage() for record in caplog.records if "platform.db" in record.name] == [
                "not ready: the database lacks the schema of this version: run `flask --app wsgi db upgrade`"
            ]


@pytest.mark.parametrize("revision", ["0002", "0003"])
def test_on_the_schema_of_an_older_version_it_is_not_ready_and_requests_are_503(
    empty_url: URL, revision: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = migrated(make_app(empty_url), revision)
    client = app.test_client()
    assert ready(app) == DISCONNECTED
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/1"), ("PUT", "/1"), ("PATCH", "/1/complete")):
        response = client.open(f"/api/alice/tasks{path}", method=method, json={"title": "x"}, headers=bearer("alice"))
        assert_error(response, 503, "Service Unavailable")
    assert "the database lacks the schema of this version: run `flask --app wsgi db upgrade`" in caplog.messages
    with app.app_context():
        flask_migrate.upgrade()
        assert client.get("/api/alice/tasks", headers=bearer("alice")).json == []
        db.engine.dispose()


def test_a_missing_sqlite_file_is_not_ready_and_not_made(tmp_path: Path) -> None:
    assert ready(make_app(sqlite_url(tmp_path))) == DISCONNECTED
    assert not (tmp_path / "todo.db").exists()


def test_a_locked_sqlite_file_is_answered_in_time(tmp_path: Path) -> None:
    app = migrated(make_app(sqlite_url(tmp_path)))
    holder = sqlite3.connect(tmp_path / "todo.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("INSERT INTO tasks (user_id, title, completed, created_at, updated_at) VALUES ('u', 't', 0, 0, 0)")
    start = time.monotonic()
    assert ready(app) in (CONNECTED, DISCONNECTED)  # readers pass a writer in WAL mode
    assert time.monotonic() - start < 3
    holder.close()


@pytest.fixture
def hop(postgres: Postgres) -> Iterator[tuple[Proxy, Flask]]:
    """An app whose database lies behind a hop that may swallow everything."""
    with postgres.database() as url:
        migrated(make_app(url))
        proxy = Proxy(str(url.query["host"]))
        app = make_app(url.set(host="127.0.0.1", port=proxy.port, query={}))
        yield proxy, app
        proxy.close()


def test_a_database_that_hangs_is_answered_within_three_seconds_and_keeps_few_waiting(
    hop: tuple[Proxy, Flask],
) -> None:
    proxy, app = hop
    proxy.stall()

    def timed(_: int) -> float:
        start = time.monotonic()
        assert ready(app) == DISCONNECTED
        return time.monotonic() - start

    with ThreadPoolExecutor(24) as executor:
        took = sorted(executor.map(timed, range(24)))
    assert took[-1] < 3
    # One asks; the others do not wait for what it finds.
    assert took[-2] < 1.5
    proxy.heal()
    time.sleep(1.1)
    assert ready(app) == CONNECTED


def test_a_storm_of_probes_makes_one_connection_a_second(hop: tuple[Proxy, Flask]) -> None:
    proxy, app = hop
    start = time.monotonic()
    with ThreadPoolExecutor(24) as executor:
        assert all(found == CONNECTED for found in executor.map(lambda _: ready(app), range(240)))
    assert proxy.connections <= 1 + (time.monotonic() - start)


def test_a_lock_on_the_table_leaves_no_probes_behind(postgres: Postgres) -> None:
    with postgres.database() as url:
        app = migrated(make_app(url))
        with Postgres(url).connection() as holder:
            holder.cursor().execute("BEGIN; LOCK tasks")
            assert ready(app) == DISCONNECTED
            time.sleep(1)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert Postgres(url).query(waiting) == [(0,)]
        time.sleep(1)
        assert ready(app) == CONNECTED
