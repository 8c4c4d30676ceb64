"""The workers of a running server: replaced when they end, apart from each other, unharmed by any request."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from tests import faults
from tests.support.databases import sqlite_url
from tests.support.service import Service, serving
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two workers, whose app raises at some paths."""
    folder = tmp_path_factory.mktemp("server")
    settings = {"WEB_CONCURRENCY": 2, "PIN_WORKERS": False}
    with serving(folder, sqlite_url(folder), fault=faults.raising_app, **settings) as service:
        yield service


def test_a_worker_that_dies_is_replaced_within_two_seconds(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), WEB_CONCURRENCY=2) as service:
        first = service.workers(2)
        for worker in first:
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: len(service.workers()) == 2 and service.is_up(), 2)
        assert not set(first) & set(service.workers())
        assert service.stop() == 0


def test_a_worker_that_is_told_to_stop_drains_and_is_replaced(service: Service) -> None:
    worker, other = service.workers(2)
    os.kill(worker, signal.SIGTERM)
    wait_until(lambda: len(set(service.workers()) - {worker, other}) == 1 and service.is_up())
    assert f"(process {worker}) ended with status 0" in service.output()


@pytest.mark.parametrize("pinned", [True, False])
def test_each_worker_is_held_on_a_cpu_of_its_own_where_that_is_wished(
    tmp_path: Path, request: pytest.FixtureRequest, pinned: bool
) -> None:
    usable = sorted(os.sched_getaffinity(0))

    def held(service: Service) -> list[list[int]]:
        return sorted(sorted(os.sched_getaffinity(worker)) for worker in service.workers(2))

    if not pinned:
        assert held(request.getfixturevalue("service")) == [usable, usable]
        return
    with serving(tmp_path, sqlite_url(tmp_path), WEB_CONCURRENCY=2, PIN_WORKERS=True) as service:
        assert held(service) == sorted([usable[n % len(usable)]] for n in range(2))


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), WEB_CONCURRENCY=2) as service:
        workers = service.workers(2)
        service.process.kill()
        service.process.wait()
        wait_until(lambda: not any(Path(f"/proc/{worker}/exe").exists() for worker in workers))
        with pytest.raises(ConnectionRefusedError):
            service.connect()


def test_the_parent_has_no_thread_no_connection_and_imports_nothing_that_no_request_needs(service: Service) -> None:
    assert len(list(Path(f"/proc/{service.pid}/task").iterdir())) == 1
    files = [str(path.readlink()) for path in Path(f"/proc/{service.pid}/fd").iterdir()]
    assert sum(file.startswith("socket:") for file in files) == 1
    assert not any(file.endswith("todo.db") for file in files)
    modules = "todo_api.app, todo_api.platform.server.start, todo_api.service.startup"
    code = f"import sys, {modules}; print({{'alembic', 'flask_migrate'}} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_whatever_a_request_raises_costs_no_other_its_worker(service: Service) -> None:
    workers = service.workers(2)
    with pytest.raises(RemoteDisconnected):
        service.status("/exit")
    assert service.status("/health") == 200
    assert service.workers() == workers


@pytest.mark.parametrize("request_id", ["once", "again"])  # the second: also where the app answers refusals
def test_a_fault_past_the_apps_own_handling_is_a_500_in_our_shape(service: Service, request_id: str) -> None:
    answer = service.request("GET", "/broken/alice", headers={"X-Request-ID": request_id})
    assert answer[:2] == (500, {"detail": "Internal Server Error", "status_code": 500})
    assert answer.headers["X-Request-ID"] == ("once" if request_id == "once" else None)
    assert service.status("/health") == 200
    assert "alice" not in service.output()
