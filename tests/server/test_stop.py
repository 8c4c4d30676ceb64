"""A stop loses nothing: what was accepted is answered, in whole, and the process ends with status 0."""

import http.client
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.soak.stops import stop_under_load
from tests.support.apps import migrate
from tests.support.databases import Postgres, sqlite_url
from tests.support.processes import cpu_seconds
from tests.support.raw import head_of_post
from tests.support.service import Service, serving


def post(service: Service) -> int:
    return service.request("POST", "/api/alice/tasks", {"title": "Buy milk"}, user_id="alice").status


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_stop_under_load_loses_and_tears_nothing(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def check(url: URL, clients: int) -> None:
        report, end = stop_under_load(tmp_path, url, clients=clients, waiting=500, seconds=1, LAME_DUCK_SECONDS=1)
        figures = report.compared_with(url)
        assert (report.lost, report.torn) == ([], [])
        assert set(report.statuses) == {200, 201}
        assert figures["acknowledged"] > 20
        assert figures["acknowledged, not stored"] == figures["stored, unanswered"] == 0
        assert (end["exit status"], end["waits answered"]) == (0, 500)
        assert end["stopped in (s)"] < 10

    if kind == "sqlite":
        check(sqlite_url(tmp_path), 4)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        check(migrate(url), 16)


def test_a_draining_server_still_answers_and_closes_each_connection(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), LAME_DUCK_SECONDS=1) as service:
        with service.client() as client:
            assert client.request("GET", "/health").headers["Connection"] is None
            os.kill(service.pid, signal.SIGTERM)
            used = cpu_seconds(service.pid)
            time.sleep(0.6)
            assert cpu_seconds(service.pid) - used < 0.3  # it waits, rather than looking again and again
            answer = client.request("GET", "/health")
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert service.status("/health") == 200
        assert service.process.wait(10) == 0


def test_more_signals_change_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), LAME_DUCK_SECONDS=1, WEB_CONCURRENCY=2) as service:
        everyone = [service.pid, *service.workers(2)]
        start = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            for process in everyone:  # as a terminal does, or a service manager
                os.kill(process, number)
            time.sleep(0.05)
        assert service.status("/health") == 200
        assert service.process.wait(10) == 0
        assert 1 <= time.monotonic() - start < 5


def held(database: Path, seconds: float) -> Callable[[], None]:
    """Lock a SQLite database against writers, for so long; what it returns waits for the end."""
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")

    def release() -> None:
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=release)
    thread.start()
    return thread.join


def test_running_and_queued_requests_are_answered_before_the_end(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with serving(tmp_path, url, THREADS=2) as service, ThreadPoolExecutor(8) as clients:
        join = held(tmp_path / "todo.db", 1.5)
        answers = [clients.submit(post, service) for _ in range(8)]
        time.sleep(0.5)
        assert service.stop() == 0
        # Those with a connection wait for the lock; who waits for a connection in vain is told so. Nobody is dropped.
        statuses = [answer.result() for answer in answers]
        assert set(statuses) <= {201, 503}
        assert statuses.count(201) >= 2
        assert not (tmp_path / "todo.db-wal").exists()  # all is in the one file
        join()


def test_a_half_read_request_is_answered_before_the_end(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    body = b'{"title": "Buy milk"}'
    with serving(tmp_path, url) as service, service.connect() as client:
        client.sendall(head_of_post(body) + body[:5])
        time.sleep(0.2)
        os.kill(service.pid, signal.SIGTERM)
        time.sleep(1)
        client.sendall(body[5:])
        assert client.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert service.process.wait(10) == 0


def test_the_drain_time_bounds_the_stop(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with serving(tmp_path, url, DRAIN_SECONDS=1) as service, ThreadPoolExecutor(1) as clients:
        join = held(tmp_path / "todo.db", 4)
        answer = clients.submit(post, service)
        time.sleep(0.3)
        start = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - start < 3
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            answer.result()
        assert "1 requests unanswered" in service.output()
        join()


def test_an_idle_connection_does_not_delay_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path)) as service:
        with service.connect() as idle:
            start = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - start < 3
            assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", service.port)):
            pass


def test_requests_on_idle_connections_are_answered_while_those_end_during_the_stop(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    body = b'{"title": "At the last moment"}'
    with serving(tmp_path, url, LAME_DUCK_SECONDS=1) as service:
        clients = [service.connect() for _ in range(80)]
        os.kill(service.pid, signal.SIGTERM)
        for client in clients:
            client.sendall(head_of_post(body) + body)
        answers = [client.recv(1000) for client in clients]
        assert [answer[:13] for answer in answers] == [b"HTTP/1.1 201 "] * 80
        for client in clients:
            client.close()
        assert service.process.wait(10) == 0
        assert "Traceback" not in service.output()
