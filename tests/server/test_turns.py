"""Requests of one worker take turns in one thread: what one of them waits for holds no other up."""

import http.client
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.issuer import ORIGIN, USER, Key, key_server
from tests.live import running
from tests.serving import serving, token
from tests.support import Postgres, make_app, migrated, sqlite_url

TASKS = "/api/alice/tasks"
# More than a worker takes at once.
CLIENTS = 30


def ask(port: int, method: str, path: str, bearer: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as connection:
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        connection.request(method, path, '{"title": "Buy milk"}' if method == "POST" else None, headers)
        return connection.getresponse().status


@contextmanager
def waiting(*requests: tuple[int, str, str, str]) -> Iterator[list[Future[int]]]:
    """Requests that are known to wait for something now."""
    with ThreadPoolExecutor(len(requests)) as clients:
        answers = [clients.submit(ask, *request) for request in requests]
        time.sleep(0.5)
        assert not any(answer.done() for answer in answers)
        yield answers


def assert_at_once(port: int, path: str, bearer: str = "") -> None:
    for _ in range(5):
        start = time.monotonic()
        assert ask(port, "GET", path, bearer) == 200
        assert time.monotonic() - start < 0.5


def test_a_write_that_sqlite_lets_wait_holds_no_reader_up(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with serving(tmp_path, url, LAME_DUCK_SECONDS=0) as service:
        alice = token(url)
        assert ask(service.port, "POST", TASKS, alice) == 201
        with closing(sqlite3.connect(tmp_path / "todo.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with waiting(*[(service.port, "POST", TASKS, alice)] * 3) as answers:
                for path in (TASKS, f"{TASKS}/1", "/health", "/health/db"):
                    assert_at_once(service.port, path, alice)
                other.execute("ROLLBACK")
            assert [answer.result() for answer in answers] == [201] * 3


def test_connecting_to_postgresql_holds_no_other_up_however_long_its_name_is_looked_up(
    tmp_path: Path, postgres: Postgres
) -> None:
    slow = (
        "import time, psycopg2\nconnect = psycopg2.connect\n"
        "psycopg2.connect = lambda *args, **options: (time.sleep(2), connect(*args, **options))[1]"
    )
    with postgres.database() as url:
        migrated(make_app(url))
        with (
            serving(tmp_path, url, change=slow, WEB_CONCURRENCY=1, LAME_DUCK_SECONDS=0) as service,
            waiting((service.port, "GET", TASKS, token(url)), (service.port, "GET", "/health/db", "")) as answers,
        ):
            assert_at_once(service.port, "/health")
        assert answers[0].result() == 200


def test_keys_that_are_waited_for_hold_no_other_up(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(make_app(url))
    with key_server() as issuer:
        issuer.respond = issuer.hang
        settings = {"BETTER_AUTH_JWKS_URL": issuer.url, "JWT_ISSUER": ORIGIN, "JWT_AUDIENCE": ORIGIN}
        with running(tmp_path, DATABASE_URL=str(url), **settings) as address:
            port = int(address.rpartition(":")[2])
            with waiting(*[(port, "GET", f"/api/{USER}/tasks", Key().sign())] * 5) as answers:
                assert_at_once(port, "/health")
            assert {answer.result() for answer in answers} == {503}


def test_more_clients_at_once_than_the_worker_has_places_are_all_served(empty_url: URL, tmp_path: Path) -> None:
    migrated(make_app(empty_url))
    alice = token(empty_url)
    with (
        serving(tmp_path, empty_url, THREADS=2, WEB_CONCURRENCY=1, LAME_DUCK_SECONDS=0) as service,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        methods = ["POST", "GET", "GET"] * CLIENTS
        statuses = list(clients.map(lambda method: ask(service.port, method, TASKS, alice), methods))
    assert statuses == [201, 200, 200] * CLIENTS
