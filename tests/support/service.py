"""The server as a process of its own, as every test, soak and benchmark starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL

from tests.support.checkout import ROOT
from tests.support.client import Answer, Client
from tests.support.databases import as_given
from tests.support.ports import free_port
from tests.support.processes import children, handles, kept_environment, process_tree
from tests.support.tokens import SECRET
from tests.support.waiting import wait_until

CHANGED_SERVER = Path(__file__).with_name("changed_server.py")
START_SECONDS, STOP_SECONDS = 30, 20


class Service:
    """A running server, and requests to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.port = port
        self.log = log
        self.address = f"http://127.0.0.1:{port}"
        # From the start of its process to its first answer.
        self.start_seconds = 0.0

    def client(self, user_id: str | None = None, seconds: float = 15) -> Client:
        return Client(self.port, user_id, seconds)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 15,
    ) -> Answer:
        """One request on a connection of its own, with the user's token."""
        with self.client(user_id, seconds) as client:
            return client.request(method, path, body, headers)

    def status(self, path: str, user_id: str | None = None, seconds: float = 15) -> int:
        """The status of a GET."""
        return self.request("GET", path, user_id=user_id, seconds=seconds).status

    def connect(self, seconds: float = 10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), seconds)

    def is_up(self) -> bool:
        assert self.process.poll() is None, f"the server ended:\n{self.output()}"
        try:
            return self.status("/health", seconds=5) == 200
        except OSError:
            return False

    def workers(self, count: int = 0) -> list[int]:
        """Its workers; where it is said how many there are to be, once that many serve, and so would drain."""
        if count:
            wait_until(lambda: [handles(worker, signal.SIGTERM) for worker in self.workers()] == [True] * count)
        return children(self.pid)

    def output(self) -> str:
        """What it has written to standard output and standard error."""
        return self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Stop it; the exit status."""
        if self.process.poll() is None:
            os.kill(self.pid, signal_number)
        return self.process.wait(STOP_SECONDS)


def environment(url: URL | None = None, **settings: object) -> dict[str, str]:
    """The environment of a server on this database; settings by the names of their variables, None leaves one unset.

    Unless LAME_DUCK_SECONDS is given, a stop does not wait for new clients.
    """
    database = {"DATABASE_URL": as_given(url)} if url else {}
    chosen = {"BETTER_AUTH_SECRET": SECRET, "LAME_DUCK_SECONDS": 0, **database, **settings}
    return kept_environment() | {name: str(value) for name, value in chosen.items() if value is not None}


def command(fault: Callable[[], None] | None = None, root: Path = ROOT) -> list[str]:
    """`python wsgi.py`, or the same after a function of tests/faults.py, which is called in the server's process."""
    if fault:
        return [sys.executable, str(CHANGED_SERVER), fault.__name__]
    return [sys.executable, str(root / "wsgi.py")]


@contextmanager
def serving(
    folder: Path,
    url: URL | None = None,
    *,
    fault: Callable[[], None] | None = None,
    root: Path = ROOT,
    before: Sequence[str] = (),
    other: Sequence[str] = (),
    stdout: int | IO[bytes] | None = None,
    **settings: object,
) -> Iterator[Service]:
    """A server in this folder, once it answers; stopped at the end, if it still runs.

    `before` is a command that runs it, `other` the command of another server. What it writes is kept in the folder,
    except to a standard output that is given.
    """
    settings = {"PORT": free_port(), **settings}
    log = folder / "server.log"
    with log.open("ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*before, *(other or command(fault, root))],
            env=environment(url, **settings),
            cwd=folder,
            stdout=output if stdout is None else stdout,
            stderr=output,
        )
    service = Service(process, int(str(settings["PORT"])), log)
    try:
        wait_until(service.is_up, START_SECONDS, every=0.005)
        service.start_seconds = time.perf_counter() - began
        yield service
    finally:
        tree = process_tree(process.pid)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in tree:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def run_to_its_end(
    folder: Path,
    url: URL | None = None,
    *,
    fault: Callable[[], None] | None = None,
    root: Path = ROOT,
    **settings: object,
) -> subprocess.CompletedProcess[str]:
    """Start a server that ends by itself, and wait for that."""
    return subprocess.run(
        command(fault, root),
        env=environment(url, **{"PORT": free_port(), **settings}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
