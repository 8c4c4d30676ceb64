"""Requests of one worker take turns in one thread: what one of them waits for holds no other up."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests import faults
from tests.support.apps import migrate
from tests.support.databases import Postgres, sqlite_url
from tests.support.issuer import ORIGIN, USER, Key, key_server
from tests.support.raw import head
from tests.support.service import Service, serving
from tests.support.tasks import TASKS
from tests.support.tokens import token

# More than a worker takes at once.
CLIENTS = 30


def ask(service: Service, method: str, path: str, **options: Any) -> int:
    body = {"title": "Buy milk"} if method == "POST" else None
    return service.request(method, path, body, **{"user_id": "alice", **options}).status


@contextmanager
def waiting(service: Service, *requests: tuple[str, str], **options: Any) -> Iterator[list[Future[int]]]:
    """Requests that are known to wait for something now."""
    with ThreadPoolExecutor(len(requests)) as clients:
        answers = [clients.submit(ask, service, *request, **options) for request in requests]
        time.sleep(0.5)
        assert not any(answer.done() for answer in answers)
        yield answers


def assert_at_once(service: Service, path: str) -> None:
    for _ in range(5):
        start = time.monotonic()
        assert ask(service, "GET", path) == 200
        assert time.monotonic() - start < 0.5


def test_a_write_that_sqlite_lets_wait_holds_no_reader_up(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path)) as service:
        assert ask(service, "POST", TASKS) == 201
        with closing(sqlite3.connect(tmp_path / "todo.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with waiting(service, *[("POST", TASKS)] * 3) as answers:
                for path in (TASKS, f"{TASKS}/1", "/health", "/health/db"):
                    assert_at_once(service, path)
                other.execute("ROLLBACK")
            assert [answer.result() for answer in answers] == [201] * 3


def test_connecting_to_postgresql_holds_no_other_up_however_long_its_name_is_looked_up(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url:
        with (
            serving(tmp_path, migrate(url), fault=faults.slow_connecting, WEB_CONCURRENCY=1) as service,
            waiting(service, ("GET", TASKS), ("GET", "/health/db")) as answers,
        ):
            assert_at_once(service, "/health")
        assert answers[0].result() == 200


def test_keys_that_are_waited_for_hold_no_other_up(tmp_path: Path) -> None:
    with key_server() as issuer:
        issuer.respond = issuer.hang
        settings = {"BETTER_AUTH_JWKS_URL": issuer.url, "JWT_ISSUER": ORIGIN, "JWT_AUDIENCE": ORIGIN}
        signed = {"Authorization": f"Bearer {Key().sign()}"}
        with serving(tmp_path, sqlite_url(tmp_path), BETTER_AUTH_SECRET=None, **settings) as service:
            with waiting(service, *[("GET", f"/api/{USER}/tasks")] * 5, headers=signed) as answers:
                assert_at_once(service, "/health")
            assert {answer.result() for answer in answers} == {503}


def test_more_clients_at_once_than_the_worker_has_places_are_all_served(empty_url: URL, tmp_path: Path) -> None:
    with (
        serving(tmp_path, migrate(empty_url), THREADS=2, WEB_CONCURRENCY=1) as service,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        methods = ["POST", "GET", "GET"] * CLIENTS
        statuses = list(clients.map(lambda method: ask(service, method, TASKS), methods))
    assert statuses == [201, 200, 200] * CLIENTS


def test_a_client_whose_next_request_is_there_already_comes_after_those_that_wait(
    tmp_path: Path, postgres: Postgres
) -> None:
    body = b'{"title": "Buy milk"}'
    sent = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    with (
        postgres.database() as url,
        serving(tmp_path, migrate(url), THREADS=1, WEB_CONCURRENCY=1) as service,
        ThreadPoolExecutor(1) as clients,
        service.connect() as eager,
        ExitStack() as stack,
    ):
        held = {}
        for user in ("alice", "bob"):
            assert ask(service, "POST", f"/api/{user}/tasks", user_id=user) == 201
            held[user] = stack.enter_context(Postgres(url).connection())
            held[user].cursor().execute(f"BEGIN; SELECT * FROM task_counters WHERE user_id = '{user}' FOR UPDATE")
        for user in ("alice", "bob"):  # each write has to wait for its user's lock
            line, signed = f"POST /api/{user}/tasks HTTP/1.1", f"Authorization: Bearer {token(user)}"
            eager.sendall(head(line, *sent, signed) + body)
            time.sleep(0.1)
        answer = clients.submit(ask, service, "GET", "/api/carol/tasks", user_id="carol")
        time.sleep(0.2)
        held["alice"].cursor().execute("ROLLBACK")
        # The only connection to the database is carol's now, and not bob's write's.
        assert answer.result() == 200
