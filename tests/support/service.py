"""The production server as a process of its own, and raw HTTP to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.support import SECRET, free_port, make_app
from todo_api.auth import tokens as auth

WSGI = Path(__file__).parent.parent / "wsgi.py"


def wait_until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The condition's first true value. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def environment(url: URL | None = None, **settings: object) -> dict[str, str]:
    """The environment of a server on this database; settings by their variables' names."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    database = {"DATABASE_URL": url.render_as_string(hide_password=False)} if url else {}
    chosen = {"BETTER_AUTH_SECRET": SECRET, **database, **settings}
    return kept | {name: str(value) for name, value in chosen.items()}


class Service:
    """A running `python wsgi.py`."""

    def __init__(self, process: subprocess.Popen[str], port: int, pid: int | None = None) -> None:
        self.process = process
        self.port = port
        self.pid = pid or process.pid

    def workers(self) -> list[int]:
        return children(self.pid)

    def connect(self, timeout: float = 10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def get(self, path: str, timeout: float = 10) -> int:
        """The status of a GET on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def up(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            return self.get("/health", timeout=2) == 200
        except OSError:
            return False

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Stop it; the exit status."""
        if self.process.poll() is None:
            os.kill(self.pid, signal_number)
        return self.process.wait(15)


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command(change: str = "") -> list[str]:
    """The server's command line; `change` is Python that runs before it."""
    if not change:
        return [sys.executable, str(WSGI)]
    code = f"import runpy, sys\nsys.path.insert(0, {str(WSGI.parent)!r})\n{change}\n"
    return [sys.executable, "-c", f"{code}runpy.run_path({str(WSGI)!r}, run_name='__main__')"]


@contextmanager
def serving(
    folder: Path, url: URL | None = None, *, change: str = "", before: tuple[str, ...] = (), **settings: object
) -> Iterator[Service]:
    """The server in this folder, once it answers; stopped at the end, if it still runs."""
    port = free_port()
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*before, *command(change)],
            env=environment(url, PORT=port, **settings),
            cwd=folder,
            stdout=log,
            stderr=log,
            text=True,
        )
    service = Service(process, port)
    try:
        wait_until(service.up)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def token(url: URL, user_id: str = "alice") -> str:
    return auth.verifier(make_app(url)).sign(user_id, 60)
