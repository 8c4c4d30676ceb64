"""A start that fails clearly, or says what it lacks."""

import socket
import time
from pathlib import Path

from tests import faults
from tests.support.checkout import copy_code
from tests.support.databases import Postgres, sqlite_url
from tests.support.service import run_to_its_end, serving
from tests.support.waiting import wait_until


def test_a_service_of_which_no_worker_can_start_ends_with_a_failure(tmp_path: Path) -> None:
    start = time.monotonic()
    ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), fault=faults.no_worker_can_start)
    assert ended.returncode == 1
    assert ended.stderr.count("ended with status 1") == 5
    assert "no worker can start" in ended.stderr
    assert time.monotonic() - start > 4 * 0.5  # all but the first had to wait


def test_a_port_in_use_is_one_clear_line_and_status_2(tmp_path: Path) -> None:
    tree = copy_code(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_to_its_end(tree, root=tree, BETTER_AUTH_SECRET=None, PORT=port)
    assert (ended.returncode, ended.stderr) == (2, f"cannot listen on 127.0.0.1:{port}: Address already in use\n")
    assert not (tree / "instance" / "todo.db").exists()


def test_a_host_that_has_no_address_is_one_line_and_status_2(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), HOST="é..é", PORT=8000)
    assert (ended.returncode, ended.stderr) == (2, "cannot listen on é..é:8000: encoding of hostname failed\n")


def test_a_database_that_cannot_be_migrated_ends_the_start_with_one_line(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, sqlite_url(Path("/dev/null")))
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("cannot bring /dev/null/todo.db up to date: ")


def test_a_stop_during_the_migration_is_one_sentence(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), fault=faults.a_stop_during_the_migration)
    assert (ended.returncode, ended.stderr) == (1, "Stopped before the database was ready\n")


def test_sigterm_ends_a_migration(tmp_path: Path) -> None:
    fault = faults.a_stop_of_the_service_during_the_migration
    ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), fault=fault)
    assert (ended.returncode, ended.stderr) == (1, "Stopped by signal 15 before the database was ready\n")


def test_a_worker_that_could_not_be_forked_is_forked_a_little_later(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), fault=faults.a_fork_that_fails) as service:
        assert "worker 0 cannot start: Cannot allocate memory" in service.output()
        assert service.status("/health") == 200


def test_a_service_that_can_fork_no_worker_ends(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, sqlite_url(tmp_path), fault=faults.forks_that_fail)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, "no worker can start")


def test_on_a_database_without_schema_it_is_not_ready(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.database() as url, serving(tmp_path, url, WEB_CONCURRENCY=1) as service:
        assert service.request("GET", "/health/db")[:2] == (503, {"status": "unhealthy", "database": "disconnected"})
        assert service.status("/api/alice/tasks", "alice") == 503


def test_a_low_limit_of_files_lowers_the_limit_of_connections(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), fault=faults.few_files) as service:
        assert "at most 120 connections a worker" in service.output()
        held = [service.connect() for _ in range(150)]
        # They say nothing, so they give way.
        wait_until(service.is_up, 20)
        for client in held:
            client.close()
