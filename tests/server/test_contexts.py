"""Flask's contexts in a worker, which serves many requests at a time in one thread: each request has its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import faults
from tests.support.databases import sqlite_url
from tests.support.raw import head
from tests.support.service import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server whose app has ordinary routes."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "file").write_bytes(b"x" * 1_000_000)
    with serving(folder, sqlite_url(folder), fault=faults.ordinary_routes, FILE=folder / "file") as service:
        yield service


def test_each_request_in_a_worker_has_a_g_and_a_session_of_its_own(service: Service) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda user: service.request("GET", f"/keep/{user}").body, range(40)))
    assert [answer["before"] for answer in answers] == [None] * 40
    assert [answer["g"] for answer in answers] == [str(user) for user in range(40)]


def test_the_first_sessions_of_a_worker_may_open_at_once(live_database: URL, tmp_path: Path) -> None:
    one_worker = serving(tmp_path, live_database, fault=faults.ordinary_routes, WEB_CONCURRENCY=1)
    with one_worker as service, ThreadPoolExecutor(8) as clients:
        assert list(clients.map(service.status, [f"/keep/{user}" for user in range(8)])) == [200] * 8


def test_what_is_to_be_done_at_the_end_of_a_request_is_done(service: Service) -> None:
    before = int(service.request("GET", "/ended").body)
    service.request("GET", "/health")
    assert int(service.request("GET", "/ended").body) == before + 2


def test_a_file_and_a_stream_are_sent_whole(service: Service) -> None:
    answer = service.request("GET", "/file")
    assert answer.body == b"x" * 1_000_000
    assert len(answer.headers.get_all("Date", [])) == 1
    stream = service.request("GET", "/stream").body
    assert stream.decode().splitlines() == [str(number) for number in range(1000)]


def test_who_asks_for_streams_and_reads_nothing_holds_nobody_up(service: Service) -> None:
    with ExitStack() as clients:
        for _ in range(20):  # more than there are places
            clients.enter_context(service.connect()).sendall(head("GET /large HTTP/1.1"))
        assert service.status("/api/alice/tasks", "alice") == 200


def test_a_head_of_a_stream_is_no_more_than_its_head(service: Service) -> None:
    with service.connect() as client:
        client.sendall(head("HEAD /stream HTTP/1.1") + head("GET /health HTTP/1.1", "Connection: close"))
        answers = b"".join(iter(lambda: client.recv(65536), b""))
    assert answers.count(b"\r\n\r\n") == 2  # the ends of two heads, and none of a body in chunks


def test_a_header_that_http_cannot_carry_is_a_fault_with_an_answer(service: Service) -> None:
    assert service.status("/header") == 500


def test_what_the_server_refuses_is_refused_whatever_routes_and_handlers_the_app_has(service: Service) -> None:
    assert service.request("GET", "/a/page").body == b"a/page"
    assert service.request("POST", "/a/page", {}).status == 405
    with service.connect() as client:
        client.sendall(b"GET / HTTP/1.1 nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'{"detail":"Bad Request","status_code":400}')


def test_what_a_view_prints_is_written_at_once(service: Service) -> None:
    assert service.status("/print") == 200
    assert "a view prints\n" in service.output()


def test_a_call_of_the_log_whose_arguments_do_not_fit_costs_no_request(service: Service) -> None:
    assert service.status("/print") == 200
    assert "%d tasks" in {line.get("message") for line in service.lines()}
    assert "private" not in service.output()
