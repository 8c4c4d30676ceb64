"""The production server as a process: workers that are replaced, a start that fails clearly, and process id 1."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from tests import faults
from tests.support.apps import settings
from tests.support.databases import sqlite_url
from tests.support.processes import children
from tests.support.programs import needs
from tests.support.service import run_to_its_end, serving
from tests.support.waiting import wait_until
from todo_api.platform.server.supervisor import usable_cpus
from todo_api.service import startup as server
from todo_api.settings import Settings


def test_a_worker_that_dies_is_replaced_within_two_seconds(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), WEB_CONCURRENCY=2) as service:
        first = service.workers()
        assert len(first) == 2
        for worker in first:
            os.kill(worker, signal.SIGKILL)
            died = time.monotonic()
            wait_until(lambda: len(service.workers()) == 2 and service.is_up())
            assert time.monotonic() - died < 2
        assert not set(first) & set(service.workers())
        assert service.stop() == 0


def test_a_worker_that_is_told_to_stop_drains_and_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path)) as service:
        [worker] = service.workers()
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: service.workers() not in ([worker], []) and service.is_up())
        assert "ended with status 0" in service.output()


@pytest.mark.parametrize("pinned", [True, False])
def test_each_worker_is_held_on_a_cpu_of_its_own_where_that_is_wished(tmp_path: Path, pinned: bool) -> None:
    usable = sorted(os.sched_getaffinity(0))
    with serving(tmp_path, sqlite_url(tmp_path), WEB_CONCURRENCY=2, PIN_WORKERS=pinned) as service:
        held = sorted(sorted(os.sched_getaffinity(worker)) for worker in service.workers())
    assert held == (sorted([usable[n % len(usable)]] for n in range(2)) if pinned else [usable, usable])


def test_a_service_of_which_no_worker_can_start_ends_with_a_failure(tmp_path: Path) -> None:
    start = time.monotonic()
    ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), fault=faults.no_worker_can_start)
    assert ended.returncode == 1
    assert ended.stderr.count("ended with status 1") == 5
    assert "no worker can start" in ended.stderr
    assert time.monotonic() - start > 4 * 0.5  # all but the first had to wait


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), WEB_CONCURRENCY=2) as service:
        workers = service.workers()
        service.process.kill()
        service.process.wait()
        wait_until(lambda: not any(Path(f"/proc/{worker}/exe").exists() for worker in workers))
        with pytest.raises(ConnectionRefusedError):
            service.connect()


def test_the_parent_has_no_thread_no_connection_and_imports_nothing_that_no_request_needs(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path)) as service:
        assert len(list(Path(f"/proc/{service.pid}/task").iterdir())) == 1
        files = [str(path.readlink()) for path in Path(f"/proc/{service.pid}/fd").iterdir()]
        assert sum(file.startswith("socket:") for file in files) == 1
        assert not any(file.endswith("todo.db") for file in files)
    modules = "todo_api.app, todo_api.platform.server.start, todo_api.service.startup"
    code = f"import sys, {modules}; print({{'alembic', 'flask_migrate'}} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_as_process_1_it_serves_reaps_and_stops(tmp_path: Path) -> None:
    needs("unshare")
    before = ("unshare", "--fork", "--kill-child", "--pid", "--mount-proc")
    with serving(tmp_path, sqlite_url(tmp_path), before=before) as service:
        [service.pid] = children(service.process.pid)
        [worker] = service.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: service.workers() not in ([worker], []) and service.is_up())
        assert not Path(f"/proc/{worker}").exists()
        assert service.stop() == 0


def test_a_port_in_use_ends_the_start_with_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), PORT=port)
    assert (ended.returncode, ended.stderr) == (2, f"cannot listen on 127.0.0.1:{port}: Address already in use\n")


def test_a_database_that_cannot_be_migrated_ends_the_start_with_one_line(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, sqlite_url(Path("/dev/null")))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("cannot bring /dev/null/todo.db up to date: ")


def test_the_greeting_tells_how_to_get_a_token_only_where_the_service_can_sign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "http://127.0.0.1:8000/docs" in server.greeting(Settings())
    assert "flask --app wsgi token alice" in server.greeting(Settings())
    assert "token" not in server.greeting(settings(sqlite_url(tmp_path)))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.chdir(tmp_path)
    assert server.flask_command() == ".venv/bin/flask"
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / ".venv/bin" / name))
    assert server.flask_command() == "flask"


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_the_cpus_are_those_that_the_container_may_use(
    files: dict[str, str], cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert usable_cpus(tmp_path) == cpus


def test_a_low_limit_of_files_lowers_the_limit_of_connections(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), fault=faults.few_files) as service:
        assert "at most 120 connections a worker" in service.output()
        held = [service.connect() for _ in range(150)]
        # They say nothing, so they give way.
        wait_until(service.is_up, 20)
        for client in held:
            client.close()


def test_whatever_a_request_raises_costs_no_other_its_worker(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), fault=faults.raising_app) as service:
        workers = service.workers()
        with pytest.raises(RemoteDisconnected):
            service.status("/exit")
        assert service.status("/health") == 200
        assert service.workers() == workers


@pytest.mark.parametrize("request_id", ["once", "again"])  # the second: also where the app answers refusals
def test_a_fault_past_the_apps_own_handling_is_a_500_in_our_shape(tmp_path: Path, request_id: str) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), fault=faults.raising_app) as service:
        answer = service.request("GET", "/broken/alice", headers={"X-Request-ID": request_id})
        assert answer[:2] == (500, {"detail": "Internal Server Error", "status_code": 500})
        assert answer.headers["X-Request-ID"] == ("once" if request_id == "once" else None)
        assert service.status("/health") == 200
    assert "alice" not in service.output()
