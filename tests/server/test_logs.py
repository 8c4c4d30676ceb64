"""The log of a running server: whole lines, whatever standard output is."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.support.databases import sqlite_url
from tests.support.service import serving
from tests.support.waiting import wait_until


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
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    shown = ""

    def line() -> re.Match[str] | None:
        nonlocal shown
        with suppress(BlockingIOError):
            shown += os.read(ours, 65536).decode()
        return re.search(r"\d\d:\d\d:\d\d GET /api/<user_id>/tasks 200 [0-9.]+ ms 2 B [0-9a-f]{32}\r?\n", shown)

    with serving(tmp_path, sqlite_url(tmp_path), stdout=theirs) as service:
        assert service.status("/api/alice/tasks", "alice") == 200
        wait_until(line)
    os.close(ours)
    os.close(theirs)


def test_lines_of_concurrent_requests_are_never_torn(tmp_path: Path) -> None:
    with serving(tmp_path, sqlite_url(tmp_path)) as service, ThreadPoolExecutor(16) as executor:
        assert set(executor.map(lambda _: service.status("/health"), range(400))) == {200}
        lines = [line for line in service.output().splitlines() if not line.startswith("Listening")]
    assert sum(json.loads(line).get("route") == "/health" for line in lines) >= 400
