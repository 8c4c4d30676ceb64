"""Requests that wait for a change: who ends them, and what they hold meanwhile."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests import faults
from tests.support.client import Answer, Client
from tests.support.cluster import Cluster, running_cluster
from tests.support.databases import sqlite_url
from tests.support.load import SHORT
from tests.support.service import Service, serving
from tests.support.tasks import TASKS
from tests.support.tokens import bearer, token
from tests.support.waiting import wait_until

METRICS = "a-token-for-metrics"
ONE_WORKER = {"WEB_CONCURRENCY": 1, "METRICS_TOKEN": METRICS}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A worker with one place for requests under way."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, sqlite_url(folder), THREADS=1, **ONE_WORKER) as service:
        yield service


def checkpoint(service: Service, user_id: str = "alice") -> int:
    return int(service.request("GET", f"/api/{user_id}/tasks/changes", user_id=user_id).body["next"])


def create(service: Service, user_id: str = "alice") -> dict[str, Any]:
    task: dict[str, Any] = service.request("POST", f"/api/{user_id}/tasks", {"title": "x"}, user_id=user_id).body
    return task


def metric(service: Service, name: str) -> float:
    answer = service.request("GET", "/metrics", headers={"Authorization": f"Bearer {METRICS}"})
    lines = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if not line.startswith("#"))
    return float(lines.get(name, 0))


def parked(service: Service) -> int:
    return int(metric(service, "todo_waiting"))


class Waiting:
    """Clients that wait for changes, each in a thread of its own."""

    def __init__(self, service: Service, executor: ThreadPoolExecutor) -> None:
        self._service = service
        self._executor = executor
        self.clients: list[Client] = []

    def start(self, query: str, user_id: str = "alice", seconds: float = 40) -> "Future[Answer]":
        client = self._service.client(user_id, seconds)
        self.clients.append(client)
        return self._executor.submit(client.request, "GET", f"/api/{user_id}/tasks/changes?{query}")


@contextmanager
def clients_of(service: Service) -> Iterator[Waiting]:
    with ThreadPoolExecutor(64) as executor, ExitStack() as stack:
        waiting = Waiting(service, executor)
        yield waiting
        for client in waiting.clients:
            stack.callback(client.connection.close)


def assert_empty(answer: Answer, since: int) -> None:
    assert (answer.status, answer.body) == (200, {"changes": [], "next": since, "has_more": False})
    assert "Link" not in answer.headers


def test_a_wait_ends_without_a_change_after_its_time(service: Service) -> None:
    since, start, began = checkpoint(service), time.monotonic(), time.time()
    answer = service.request("GET", f"{TASKS}/changes?since={since}&wait=1", user_id="alice")
    assert time.monotonic() - start >= 1
    assert parsedate_to_datetime(answer.headers["Date"]).timestamp() >= int(began + 1)  # of the answer
    assert_empty(answer, since)
    assert "Retry-After" not in answer.headers


def test_what_can_be_answered_is_answered_without_a_wait(service: Service) -> None:
    task = create(service)
    with service.client("alice", seconds=5) as client:
        answer = client.request("GET", f"{TASKS}/changes?since={task['revision'] - 1}&wait=25")
    assert answer.body["changes"] == [task]


def test_a_change_made_by_the_same_worker_ends_a_wait_without_a_question_to_the_database(tmp_path: Path) -> None:
    with (
        serving(tmp_path, sqlite_url(tmp_path), fault=faults.no_questions_while_waiting, **ONE_WORKER) as service,
        clients_of(service) as clients,
    ):
        writes: list[Callable[[], Any]] = [
            lambda: create(service),
            lambda: service.request("PATCH", f"{TASKS}/1/complete", user_id="alice"),
            lambda: service.request("PUT", f"{TASKS}/1", {"title": "y"}, user_id="alice"),
            lambda: service.request("DELETE", f"{TASKS}/1", user_id="alice"),
            lambda: service.request(
                "POST",
                f"{TASKS}/batch",
                {"operations": [{"op": "put", "key": "k", "data": {"title": "x"}}]},
                user_id="alice",
            ),
        ]
        for write in writes:
            since = checkpoint(service)
            answers = [clients.start(f"since={since}&wait=25") for _ in range(2)]
            wait_until(lambda: parked(service) == 2)
            write()
            for answer in answers:
                assert [change["revision"] > since for change in answer.result(10).body["changes"]] == [True]
        assert parked(service) == 0


def test_while_anybody_waits_the_database_is_asked_once_a_second_however_long_it_takes_to_answer(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), fault=faults.slow_questions, **ONE_WORKER) as service:

        def questions() -> int:
            return sum(line.get("message") == "asked" for line in service.lines())

        service.request("GET", f"{TASKS}/changes?since=1&wait=6", user_id="alice")
        asked = questions()
        assert asked in {4, 5}
        time.sleep(1.5)
        assert questions() == asked


def test_a_change_made_by_another_process_ends_a_wait(url: URL, tmp_path: Path) -> None:
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(serving(tmp_path / name, url, **ONE_WORKER))
            for name in folders(tmp_path, "one", "other")
        )
        clients = stack.enter_context(clients_of(one))
        for _ in range(3):
            since = checkpoint(one)
            answer = clients.start(f"since={since}&wait=25")
            wait_until(lambda: parked(one) == 1)
            task = create(other)
            written = time.monotonic()
            assert answer.result(10).body["changes"] == [task]
            assert time.monotonic() - written < 5


def folders(parent: Path, *names: str) -> tuple[str, ...]:
    for name in names:
        (parent / name).mkdir()
    return names


def test_waiting_takes_no_place_of_other_requests_and_no_connection(url: URL, tmp_path: Path) -> None:
    with serving(tmp_path, url, THREADS=1, **ONE_WORKER) as service, clients_of(service) as clients:
        users = [f"user-{number}" for number in range(20)]
        answers = [clients.start("since=1&wait=25", user) for user in users]
        wait_until(lambda: parked(service) == 20)
        for _ in range(3):
            assert service.request("GET", TASKS, user_id="alice").status == 200
        assert metric(service, "todo_db_connections_in_use") == 0
        tasks = [create(service, user) for user in users]
        assert [answer.result(10).body["changes"] for answer in answers] == [[task] for task in tasks]


def test_a_change_of_another_user_ends_no_wait(service: Service) -> None:
    with clients_of(service) as clients:
        since = checkpoint(service)
        answer = clients.start(f"since={since}&wait=3")
        wait_until(lambda: parked(service) == 1)
        create(service, "bob")
        assert_empty(answer.result(10), since)


def test_a_change_that_is_not_answered_ends_no_wait(service: Service) -> None:
    with clients_of(service) as clients:
        answer = clients.start("wait=25", "first-pull")
        wait_until(lambda: parked(service) == 1)
        # A tombstone is left out of the first page of a first pull.
        operations = [{"op": "put", "key": "k", "data": {"title": "x"}}, {"op": "delete", "key": "k"}]
        service.request("POST", "/api/first-pull/tasks/batch", {"operations": operations}, user_id="first-pull")
        time.sleep(1.5)  # past the next question
        assert parked(service) == 1
        task = create(service, "first-pull")
        assert answer.result(10).body["changes"] == [task]


def test_ten_requests_of_one_user_may_wait_and_the_next_is_sent_away(service: Service) -> None:
    with clients_of(service) as clients:
        since = checkpoint(service)
        answers = [clients.start(f"since={since}&wait=25") for _ in range(10)]
        wait_until(lambda: parked(service) == 10)
        with service.client("alice", seconds=5) as client:
            sent_away = client.request("GET", f"{TASKS}/changes?since={since}&wait=25")
        assert_empty(sent_away, since)
        assert 1 <= int(sent_away.headers["Retry-After"]) <= 5
        others = clients.start("since=1&wait=1", "carol")
        assert "Retry-After" not in others.result(10).headers
        task = create(service)
        assert [answer.result(10).body["changes"] for answer in answers] == [[task]] * 10


def test_half_of_a_workers_connections_may_wait(tmp_path: Path) -> None:
    server = serving(tmp_path, sqlite_url(tmp_path), fault=faults.few_connections, **ONE_WORKER)
    with server as service, clients_of(service) as clients:
        for number in range(4):
            clients.start("since=1&wait=25", f"user-{number}")
        wait_until(lambda: parked(service) == 4)
        answer = service.request("GET", f"{TASKS}/changes?since=1&wait=25", user_id="alice", seconds=5)
        assert_empty(answer, 1)
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        assert service.stop() == 0


@pytest.mark.parametrize("way", ["closes", "closes its sending side", "resets"])
def test_a_client_that_leaves_frees_its_wait(service: Service, way: str) -> None:
    with service.connect() as client:
        request = f"GET {TASKS}/changes?since={checkpoint(service)}&wait=25 HTTP/1.1\r\nHost: x\r\n"
        client.sendall(f"{request}Authorization: Bearer {token('alice')}\r\n\r\n".encode())
        wait_until(lambda: parked(service) == 1)
        if way == "closes its sending side":
            client.shutdown(1)
        elif way == "resets":
            client.setsockopt(1, 13, (1).to_bytes(4, "little") + (0).to_bytes(4, "little"))
            client.close()
        else:
            client.close()
        wait_until(lambda: parked(service) == 0, 2)


def test_a_stop_answers_all_that_wait_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), **ONE_WORKER) as service, clients_of(service) as clients:
        answers = [clients.start("since=1&wait=25", f"user-{number}") for number in range(30)]
        wait_until(lambda: parked(service) == 30)
        os.kill(service.pid, signal.SIGTERM)
        for answer in answers:
            assert_empty(answer.result(10), 1)
            assert 1 <= int(answer.result().headers["Retry-After"]) <= 5
            assert answer.result().headers["Connection"] == "close"
        assert len({answer.result().headers["Retry-After"] for answer in answers}) > 1
        assert service.process.wait(10) == 0


def test_a_stopping_server_lets_nobody_wait(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), LAME_DUCK_SECONDS=2, **ONE_WORKER) as service:
        os.kill(service.pid, signal.SIGTERM)
        wait_until(lambda: service.status("/health/db") == 503)
        answer = service.request("GET", f"{TASKS}/changes?since=1&wait=25", user_id="alice", seconds=5)
        assert_empty(answer, 1)
        assert 1 <= int(answer.headers["Retry-After"]) <= 5


def test_no_answer_is_held_past_the_tokens_expiry(service: Service) -> None:
    expiring = bearer("alice", seconds=2)
    since = checkpoint(service)
    # The second time it has expired, but within the leeway: the answer comes at once.
    for _ in range(2):
        answer = service.request("GET", f"{TASKS}/changes?since={since}&wait=25", headers=expiring, seconds=8)
        assert_empty(answer, since)
        # Else a client would ask again and again until the leeway is over.
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    answer = service.request("GET", f"{TASKS}/changes?since={since}", headers=expiring)
    assert_empty(answer, since)
    assert "Retry-After" not in answer.headers


def test_the_log_and_the_metrics_tell_waiting_from_work(service: Service) -> None:
    since = checkpoint(service)
    service.request("GET", f"{TASKS}/changes?since={since}&wait=1", user_id="alice")
    line = [line for line in service.lines() if line.get("route", "").endswith("/changes")][-1]
    assert line["waited_ms"] >= 1000
    assert line["duration_ms"] < 1000
    assert not any("waited_ms" in line for line in service.lines() if line.get("route") == "/health")
    labels = '{method="GET",route="/api/<user_id>/tasks/changes"}'
    assert metric(service, f"todo_request_duration_seconds_sum{labels}") < 1


def test_waits_last_through_a_short_outage_and_end_as_empty_pages_in_a_long_one(tmp_path: Path) -> None:
    with running_cluster() as cluster, serving(tmp_path, cluster.url, METRICS_TOKEN=METRICS, **SHORT) as service:
        short_outage(cluster, service)
        with clients_of(service) as clients:
            answers = [clients.start("since=1&wait=25", f"user-{number}") for number in range(20)]
            wait_until(lambda: parked(service) == 20)
            began = time.monotonic()
            cluster.stop()
            for answer in answers:
                assert_empty(answer.result(15), 1)
                assert 1 <= int(answer.result().headers["Retry-After"]) <= 5
            assert time.monotonic() - began > 5
            cluster.start()


def short_outage(cluster: Cluster, service: Service) -> None:
    with clients_of(service) as clients:
        since = checkpoint(service)
        answer = clients.start(f"since={since}&wait=25")
        wait_until(lambda: parked(service) == 1)
        cluster.restart()
        time.sleep(1.5)
        assert parked(service) == 1
        task = wait_until(lambda: created(service))
        assert answer.result(10).body["changes"] == [task]


def created(service: Service) -> dict[str, Any] | None:
    answer = service.request("POST", TASKS, {"title": "x"}, user_id="alice")
    return answer.body if answer.status == 201 else None
