"""The log of a running server: whole lines, whatever standard output is."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.databases import sqlite_url
from tests.support.service import serving
from tests.support.waiting import wait_until


@contextmanager
def terminal() -> Iterator[tuple[int, Callable[[], str]]]:
    """A terminal to write to, and what it has shown so far."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    shown = ""

    def read() -> str:
        nonlocal shown
        with suppress(BlockingIOError):
            while chunk := os.read(ours, 65536):
                shown += chunk.decode()
        return shown.replace("\r\n", "\n")

    try:
        yield theirs, read
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_pipe_that_nobody_reads_or_that_is_closed_stops_no_request(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path), stdout=subprocess.PIPE) as service:
        # More lines than the 64 KiB that a pipe holds.
        assert {service.status("/health") for _ in range(600)} == {200}
        assert service.process.stdout
        service.process.stdout.close()
        assert {service.status("/health") for _ in range(10)} == {200}


def test_closed_standard_output_writes_into_no_other_file(tmp_path: Path) -> None:
    closed = ("sh", "-c", 'exec "$@" >&-', "sh")
    with serving(tmp_path, sqlite_url(tmp_path), before=closed) as service:
        assert {service.status("/api/alice/tasks", "alice") for _ in range(20)} == {200}
    assert not any(b"request_id" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_person_at_a_terminal_reads_text(tmp_path: Path) -> None:
    line = r"\d\d:\d\d:\d\d GET /api/<user_id>/tasks 200 [0-9.]+ ms 2 B [0-9a-f]{32}\n"
    with terminal() as (theirs, shown), serving(tmp_path, sqlite_url(tmp_path), stdout=theirs) as service:
        assert service.status("/api/alice/tasks", "alice") == 200
        wait_until(lambda: re.search(line, shown()))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_at_a_terminal_migrations_start_and_stop_are_one_sentence_each(tmp_path: Path, stop: int) -> None:
    both = ("sh", "-c", 'exec "$@" 2>&1', "sh")
    with terminal() as (theirs, shown), serving(tmp_path, sqlite_url(tmp_path), before=both, stdout=theirs) as service:
        assert service.stop(stop) == 0
        migrated, start, stopping = [line for line in shown().splitlines() if " GET /health 200 " not in line]
    assert re.fullmatch(r"Migrated the database from empty to \d{4}", migrated)
    assert start == f"Listening on {service.address}, documented at {service.address}/docs"
    assert stopping == "Stopping within 7 s: accepted requests are answered first"


def test_the_log_begins_with_the_first_request_and_lines_of_concurrent_ones_are_never_torn(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path)) as service, ThreadPoolExecutor(16) as executor:
        assert {line.get("route") for line in service.lines()} == {"/health"}
        assert set(executor.map(lambda _: service.status("/health"), range(400))) == {200}
        lines = [line for line in service.output().splitlines() if not line.startswith(("Migrated", "Listening"))]
    assert sum(json.loads(line).get("route") == "/health" for line in lines) >= 400
