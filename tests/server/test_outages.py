"""A database that is restarted, stopped, frozen or cut off: a real one, under a real server and load."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.support.cluster import Cluster, running_cluster
from tests.support.load import CLIENTS, SHORT, UNAVAILABLE, Load
from tests.support.proxy import Proxy
from tests.support.service import Service, serving
from tests.support.tasks import TASKS
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    proxy = Proxy(cluster.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def service(cluster: Cluster, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, cluster.url.set(port=proxy.port), **SHORT) as service:
        yield service


@pytest.fixture(autouse=True)
def empty_table(cluster: Cluster) -> None:
    cluster.execute("TRUNCATE tasks")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_costs_nothing_but_503s_and_is_over_with_it(cluster: Cluster, service: Service, mode: str) -> None:
    with Load(service.port) as load:
        time.sleep(0.5)
        cluster.restart(mode)
        back = time.monotonic()
        time.sleep(1.5)
    assert load.first_success_after(back) < 2
    load.assert_nothing_lost_nor_wrong(cluster)


def test_a_restart_while_nobody_asks_costs_nothing(cluster: Cluster, service: Service) -> None:
    with Load(service.port):
        time.sleep(0.3)
    cluster.restart()
    with ThreadPoolExecutor(CLIENTS) as executor:
        assert set(executor.map(lambda _: service.status("/api/alice/tasks", "alice"), range(CLIENTS))) == {200}


def test_a_stopped_database_is_503_at_once_and_what_needs_none_is_answered(cluster: Cluster, service: Service) -> None:
    cluster.stop()
    try:
        start = time.monotonic()
        status, body, headers = service.request("GET", "/api/alice/tasks", user_id="alice")
        assert (status, body, headers["Retry-After"]) == (503, UNAVAILABLE, "1")
        status, body, _ = service.request("GET", "/health/db")
        assert (status, body) == (503, {"status": "unhealthy", "database": "disconnected"})
        assert service.status("/health") == 200
        assert service.request("GET", "/api/alice/tasks", headers={"Authorization": "Bearer no"}).status == 401
        assert service.status("/api/alice/tasks", "bob") == 403
        assert service.status("/nowhere") == 404
        assert service.request("POST", "/api/alice/tasks", b"{", user_id="alice").status == 422
        preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
        assert service.request("OPTIONS", "/api/alice/tasks", headers=preflight).status == 200
        assert time.monotonic() - start < 5
    finally:
        cluster.start()
    wait_until(lambda: service.status("/api/alice/tasks", "alice") == 200, 2)
    wait_until(lambda: service.status("/health/db") == 200, 2)


@pytest.mark.parametrize("fault", ["frozen", "black hole"])
def test_a_database_that_hangs_is_503_within_ten_seconds_then_at_once_and_back_within_one(
    cluster: Cluster, proxy: Proxy, service: Service, fault: str
) -> None:
    with Load(service.port) as load:
        time.sleep(0.5)
        cluster.freeze() if fault == "frozen" else proxy.stall()
        began = time.monotonic()
        try:
            time.sleep(2)
            start = time.monotonic()
            assert service.status("/health/db") == 503
            assert time.monotonic() - start < 3
            time.sleep(max(0, began + 5 - time.monotonic()))
            at_once = [seconds for at, status, seconds in load.answers if at > began + 2 and status == 503]
            assert sorted(at_once)[len(at_once) // 2] < 0.5
        finally:
            cluster.thaw()
            proxy.heal()
        back = time.monotonic()
        time.sleep(1.5)
    assert load.slowest < 4.5  # no one waited for the database to come back
    assert load.first_success_after(back) < 2
    load.assert_nothing_lost_nor_wrong(cluster)
    # Once it is back, nobody is turned away any more.
    assert {status for at, status, seconds in load.answers if at - seconds > back + 1} <= {200, 201}


@contextmanager
def locked_row(cluster: Cluster, service: Service) -> Iterator[Callable[[], tuple[int, float]]]:
    """A call that toggles a task whose row is locked, and answers the status and how long it took."""
    created = service.request("POST", "/api/alice/tasks", {"title": "Locked"}, user_id="alice")
    path = created.headers["Location"]

    def toggle() -> tuple[int, float]:
        start = time.monotonic()
        status = service.request("PATCH", f"{path}/complete", user_id="alice").status
        return status, time.monotonic() - start

    with cluster.connection() as holder:
        holder.cursor().execute("BEGIN; SELECT * FROM tasks FOR UPDATE")
        yield toggle
    assert toggle()[0] == 200


def test_a_held_row_lock_is_503_for_who_needs_the_row_and_for_nobody_else(cluster: Cluster, service: Service) -> None:
    with locked_row(cluster, service) as toggle, ThreadPoolExecutor() as executor:
        answers = [executor.submit(toggle) for _ in range(3)]
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: len(cluster.query(waiting)) == 3, 2)
        waiters = set(cluster.query(waiting))
        while not all(answer.done() for answer in answers):
            assert service.request("POST", "/api/bob/tasks", {"title": "Free"}, user_id="bob").status == 201
        for answer in answers:
            status, seconds = answer.result()
            assert (status, seconds < 5) == (503, True)
        # A connection survives such an error.
        assert waiters <= set(cluster.query("SELECT pid FROM pg_stat_activity"))


def test_a_batch_that_waits_for_a_lock_in_vain_is_503_and_leaves_its_connection(
    cluster: Cluster, service: Service
) -> None:
    assert service.request("POST", TASKS, {"title": "First"}, user_id="alice").status == 201
    operations = {"operations": [{"op": "put", "key": "a", "data": {"title": "Second"}}]}
    with cluster.connection() as holder, ThreadPoolExecutor() as executor:
        holder.cursor().execute("BEGIN; SELECT * FROM task_counters FOR UPDATE")
        answer = executor.submit(service.request, "POST", f"{TASKS}/batch", operations, user_id="alice")
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: len(cluster.query(waiting)) == 1, 2)
        waiters = set(cluster.query(waiting))
        assert answer.result().status == 503
        assert waiters <= set(cluster.query("SELECT pid FROM pg_stat_activity WHERE state = 'idle'"))
    assert service.request("POST", f"{TASKS}/batch", operations, user_id="alice").status == 200


def test_clients_that_all_wait_for_one_lock_leave_health_free_and_end_in_time(
    cluster: Cluster, service: Service
) -> None:
    with locked_row(cluster, service) as toggle, ThreadPoolExecutor(CLIENTS) as executor:
        answers = [executor.submit(toggle) for _ in range(CLIENTS)]
        while not all(answer.done() for answer in answers):
            start = time.monotonic()
            assert service.status("/health") == 200
            assert time.monotonic() - start < 2
            time.sleep(0.05)
        assert {answer.result()[0] for answer in answers} == {503}
        assert max(answer.result()[1] for answer in answers) < 10
        wait_until(lambda: service.status("/api/alice/tasks", "alice") == 200, 2)


def test_a_read_only_database_is_503_and_a_new_connection_finds_the_writable_one(
    cluster: Cluster, service: Service
) -> None:
    cluster.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    cluster.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'todo-api'")
    try:
        status, body, _ = service.request("POST", "/api/alice/tasks", {"title": "No"}, user_id="alice")
        assert (status, body) == (503, UNAVAILABLE)
    finally:
        cluster.execute("SET transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only")
    assert service.request("POST", "/api/alice/tasks", {"title": "Yes"}, user_id="alice").status == 201


def test_the_log_says_what_happened_in_a_few_lines_without_addresses_or_values(
    cluster: Cluster, service: Service
) -> None:
    time.sleep(1)  # past what the tests before had logged
    before = len(service.lines())
    cluster.stop()
    for _ in range(20):
        service.request("POST", "/api/alice/tasks", {"title": "Private"}, user_id="alice")
    cluster.start()
    wait_until(lambda: service.status("/api/alice/tasks", "alice") == 200)
    said = [line for line in service.lines()[before:] if "message" in line]
    messages = [line["message"] for line in said]
    assert messages[0].startswith("database unavailable: ")
    assert messages[-1] == "the database answers again"
    assert len(messages) < 10
    assert not any(str(cluster.port) in text or "127.0.0.1" in text or "Private" in text for text in messages)
    assert "Traceback" not in service.output()
