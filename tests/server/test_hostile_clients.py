"""Clients that are slow, many, malformed or gone: each is bounded, answered in the one shape, and harms no other."""

import json
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import faults
from tests.support.databases import sqlite_url
from tests.support.raw import head, head_of_post
from tests.support.service import Service, serving
from tests.support.tokens import token
from todo_api.platform.server.worker import SPARE_PLACES

ORIGIN = "http://localhost:3000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def url(folder: Path) -> URL:
    return sqlite_url(folder)


@pytest.fixture(scope="module")
def service(folder: Path, url: URL) -> Iterator[Service]:
    """One worker with one connection to the database, whose patience with a request is 2 s."""
    with serving(folder, url, fault=faults.impatience, THREADS=1, DRAIN_SECONDS=1) as service:
        yield service


def answer(client: socket.socket, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    response = HTTPResponse(client, method=method)
    response.begin()
    return response, response.read()


MALFORMED = {
    "garbage": b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n",
    "no colon in a header": head("GET /health HTTP/1.1", "nonsense"),
    "a space before the colon": head("GET /health HTTP/1.1", "Content-Length : 0"),
    "a header folded at the start": b"GET /health HTTP/1.1\r\n folded\r\n\r\n",
    "a bare line feed": b"GET /health HTTP/1.1\r\nHost: a\nb\r\n\r\n",
    "a method in lower case": head("get /health HTTP/1.1"),
    "lengths that differ": head("POST /health HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
    "a signed length": head("POST /health HTTP/1.1", "Content-Length: +1"),
    "a coding that is not chunked": head("POST /health HTTP/1.1", "Transfer-Encoding: gzip"),
    "the same with a wish to be asked": head(
        "POST /health HTTP/1.1", "Transfer-Encoding: gzip", "Expect: 100-continue"
    ),
    "chunks and a length": head("GET / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
    "chunks in HTTP/1.0": head("GET / HTTP/1.0", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    # waitress's patterns would take minutes for the first of these, and seconds for the others.
    "an address of digits without an end": head(f"GET http://{'1' * 30_000} x HTTP/1.1"),
    "very many spaces before a value": head("GET /health HTTP/1.1", f"X:{' ' * 30_000}x"),
    "very many lines before a value": head("GET /health HTTP/1.1", f"X:{(chr(13) + chr(10) + ' ') * 10_000}x"),
    "a chunk without a size": head("POST /health HTTP/1.1", "Transfer-Encoding: chunked") + b"x\r\n",
}


@pytest.mark.parametrize("more", [b"\r\n", head("GET /health HTTP/1.1")], ids=["an empty line", "another request"])
def test_an_answer_arrives_whole_though_the_client_goes_on_sending(service: Service, more: bytes) -> None:
    task = {"title": "Buy milk", "description": "x" * 1000}
    operations = [{"op": "put", "key": f"long-{n}", "data": task} for n in range(100)]
    service.request("POST", "/api/talker/tasks/batch", {"operations": operations}, user_id="talker")
    asked = head("GET /api/talker/tasks HTTP/1.1", f"Authorization: Bearer {token('talker')}", "Connection: close")
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # most of the answer waits in the server's kernel
        client.settimeout(10)
        client.connect(("127.0.0.1", service.port))
        client.sendall(asked)
        time.sleep(0.1)
        client.sendall(more)
        response, body = answer(client)
        assert (response.status, len(json.loads(body))) == (200, 100)


def test_a_pause_of_the_whole_process_costs_nobody_an_answer(service: Service) -> None:
    body = b'{"title": "Buy milk"}'
    with service.connect() as client:
        client.sendall(head_of_post(body) + body[:5])
        time.sleep(0.3)
        [worker] = service.workers()
        os.kill(worker, signal.SIGSTOP)
        try:
            time.sleep(0.2)  # until it has stopped
            client.sendall(body[5:])
            time.sleep(2.5)  # longer than a request may take to arrive
        finally:
            os.kill(worker, signal.SIGCONT)
        assert answer(client)[0].status == 201


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_request_is_answered_400_in_the_one_shape(service: Service, request_: bytes) -> None:
    with service.connect() as client:
        client.sendall(request_)
        response, body = answer(client)
        assert json.loads(body) == {"detail": "Bad Request", "status_code": 400}
        assert (response.status, response.getheader("Content-Type")) == (400, "application/json")
        assert response.getheader("Connection") == "close"
        assert client.recv(1) == b""


def test_what_the_server_refuses_carries_the_headers_of_every_answer(service: Service) -> None:
    with service.connect() as client:
        client.sendall(head("POST /health HTTP/1.1", "Transfer-Encoding: gzip", f"Origin: {ORIGIN}"))
        response, _ = answer(client)
    assert response.getheader("Access-Control-Allow-Origin") == ORIGIN
    assert response.getheader("Access-Control-Allow-Credentials") == "true"
    assert response.getheader("Vary") == "Origin"
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Cache-Control") == "no-store"
    assert {"Server", "Via"}.isdisjoint(response.headers)


def test_headers_past_the_limit_are_431(service: Service) -> None:
    with service.connect() as client:
        client.sendall(head("GET /health HTTP/1.1", *[f"X-{number}: {'x' * 1000}" for number in range(64)]))
        response, body = answer(client)
    assert (response.status, json.loads(body)["detail"]) == (431, "Request Header Fields Too Large")


@pytest.mark.parametrize("megabytes", [1.5, 2, 30])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_past_the_limit_is_413_and_its_sender_gets_to_read_so(
    service: Service, megabytes: float, chunked: bool
) -> None:
    body = b" " * int(megabytes * 2**20)
    with service.client("alice") as client:
        sent = iter([body]) if chunked else body
        status, answered, _ = client.request("POST", "/api/alice/tasks", sent)
    assert (status, answered) == (413, {"detail": "Content Too Large", "status_code": 413})


def test_a_head_request_that_is_refused_is_answered_without_a_body(service: Service) -> None:
    with service.connect() as client:
        client.sendall(head("HEAD /health HTTP/1.1", "Content-Length: x"))
        assert client.recv(10_000).endswith(b"\r\n\r\n")
        assert client.recv(1) == b""


def test_a_connection_is_kept_after_a_body_none_and_an_error(service: Service) -> None:
    with service.client("alice") as client:
        path = client.request("POST", "/api/alice/tasks", {"title": "Buy milk"}).headers["Location"]
        first = client.connection.sock
        for method, status in [("HEAD", 200), ("GET", 200), ("DELETE", 204), ("DELETE", 404), ("OPTIONS", 200)]:
            answer = client.request(method, path)
            assert (answer.status, answer.headers["Connection"]) == (status, None)
        assert client.connection.sock is first


def test_http_1_0_keeps_a_connection_only_where_asked(service: Service) -> None:
    for headers, kept in (((), False), (("Connection: keep-alive",), True)):
        with service.connect() as client:
            client.sendall(head("GET /health HTTP/1.0", *headers))
            response, body = answer(client)
            assert (response.status, len(body)) == (200, 44)
            assert response.getheader("Connection") == ("keep-alive" if kept else "close")


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(service: Service) -> None:
    body = b'{"title": "Buy milk"}'
    with service.connect() as client:
        client.sendall(head_of_post(body, "Expect: 100-continue"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert answer(client, "POST")[0].status == 201


def test_a_request_without_a_body_need_not_be_asked_for_it(service: Service) -> None:
    with service.connect() as client:
        client.sendall(head("GET /health HTTP/1.1", "Expect: 100-continue"))
        assert answer(client)[0].status == 200


def test_two_slashes_at_the_start_are_another_path(service: Service) -> None:
    assert service.status("//health") == 404
    assert service.status("/health") == 200


def test_forwarded_headers_do_not_reach_the_answer(service: Service) -> None:
    body = b'{"title": "Buy milk"}'
    forwarded = ["Forwarded: host=evil.example", "X-Forwarded-Host: evil.example"]
    forwarded += ["X-Forwarded-Proto: https", "X-Forwarded-Prefix: /evil"]
    with service.connect() as client:
        client.sendall(head_of_post(body, *forwarded) + body)
        response, _ = answer(client, "POST")
    assert (response.getheader("Location") or "").startswith("/api/alice/tasks/")
    assert b"evil" not in bytes(response.headers)


def seconds_until_cut(service: Service, start: bytes) -> float:
    """Send a byte every 0.1 s after the start, until that fails."""
    with service.connect() as client:
        began = time.monotonic()
        try:
            client.sendall(start)
            while time.monotonic() < began + 15:
                client.sendall(b"1")
                time.sleep(0.1)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return time.monotonic() - began


def test_who_trickles_headers_a_body_or_chunks_is_cut(service: Service) -> None:
    starts = [
        b"GET /health HTTP/1.1\r\n",
        head("POST /api/alice/tasks HTTP/1.1", "Content-Length: 1000"),
        head("POST /api/alice/tasks HTTP/1.1", "Transfer-Encoding: chunked"),
    ]
    with ThreadPoolExecutor(3) as clients:
        for seconds in clients.map(lambda start: seconds_until_cut(service, start), starts):
            assert 1.5 < seconds < 8


def test_who_sends_empty_lines_without_end_holds_nobody_up(service: Service) -> None:
    with service.connect() as client, ThreadPoolExecutor(1) as other:

        def send() -> None:
            with suppress(OSError):  # shut down below, or by the server
                while True:
                    client.sendall(b"\r\n" * 2**16)

        sending = other.submit(send)
        try:
            for _ in range(20):
                assert service.status("/health", seconds=5) == 200
        finally:
            client.shutdown(socket.SHUT_RDWR)
            sending.result()


def test_a_thousand_idle_connections_do_not_stop_service(service: Service) -> None:
    with ExitStack() as held:
        for _ in range(1000):
            held.enter_context(service.connect())
        for client in [held.enter_context(service.connect()) for _ in range(100)]:
            client.sendall(b"GET /hea")
        assert all(service.status("/health", seconds=2) == 200 for _ in range(20))


def test_urgent_data_costs_no_processor_time_and_harms_no_request(service: Service) -> None:
    [worker] = service.workers()

    def used() -> int:
        return sum(map(int, Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[11:13]))

    with service.connect() as client:
        client.send(b"!", socket.MSG_OOB)
        before = used()
        time.sleep(1)
        assert used() - before < 50  # hundredths of a second
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_what_abandoned_clients_asked_for_is_not_done(service: Service, folder: Path) -> None:
    body = b'{"title": "Given up"}'
    with closing(sqlite3.connect(folder / "todo.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")  # the one connection has to wait for it
        clients = [service.connect() for _ in range(20)]
        for client in clients:
            client.sendall(head_of_post(body) + body)
        with ThreadPoolExecutor(1) as other:
            time.sleep(0.5)
            for client in clients:
                client.close()
            patient = other.submit(service.status, "/health")
            time.sleep(0.3)
            database.execute("ROLLBACK")
            start = time.monotonic()
            assert patient.result() == 200
            assert time.monotonic() - start < 5
        count = "SELECT count(*) FROM tasks WHERE title = 'Given up'"
        time.sleep(1)
        # Only what had begun: the one that was writing, and those that had a place to wait for the connection.
        assert database.execute(count).fetchone()[0] <= 1 + SPARE_PLACES


def test_requests_that_come_at_once_are_answered_one_after_the_other(service: Service) -> None:
    paths = ["/health", "/nowhere"] * 50
    with service.connect() as client:
        client.sendall(b"".join(head(f"GET {path} HTTP/1.1") for path in paths))
        with client.makefile("rb") as received:
            statuses = []
            for _ in paths:
                statuses.append(int(received.readline().split()[1]))
                size = 0
                while (line := received.readline()) != b"\r\n":
                    size = int(line.split(b":")[1]) if line.startswith(b"Content-Length:") else size
                received.read(size)
    assert statuses == [200, 404] * 50


def test_who_asks_for_much_and_reads_nothing_holds_nobody_up(service: Service) -> None:
    page = service.request("GET", "/docs").body.decode()
    [script] = re.findall(r'src="(/docs/assets/[^"]+bundle[^"]*)"', page)
    request = f"GET {script} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    clients = [service.connect() for _ in range(8)]
    try:
        for client in clients:
            client.sendall(40 * request)
        for _ in range(5):
            assert service.status("/health", seconds=2) == 200
    finally:
        for client in clients:
            client.close()
