"""The servers to measure, as processes: starting them, and reading off what they use."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL

from tests.support import SECRET, make_app, migrated

HERE = Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")
START_SECONDS, STOP_SECONDS = 30, 20


class Server(NamedTuple):
    """A running server, and the seconds from its process's start to its first answer."""

    name: str
    pid: int
    port: int
    started: float


class Conditions(NamedTuple):
    """How servers are started: worker processes, `PIN_WORKERS`, and whether each server is held on one CPU."""

    workers: int = 1
    pin: bool = False
    one_cpu: bool = False


def process_tree(pid: int) -> list[int]:
    """A process and all below it, the ancestor first."""
    try:
        children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has just ended
        return []
    return [pid, *(found for child in children.split() for found in process_tree(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process tree has used, by children that ended as well.

    Of what still runs in nanoseconds: in ticks, a few requests over many processes would be mostly rounded away.
    """
    seconds = 0.0
    for process in process_tree(pid):
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
            threads = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/schedstat")]
        except OSError:
            continue
        seconds += sum(map(int, stat.rpartition(")")[2].split()[13:15])) / TICK  # cutime, cstime
        seconds += sum(int(thread.split()[0]) for thread in threads) / 1e9
    return seconds


def memory_mib(pid: int) -> float:
    """A process's memory, of what it shares with others its share (PSS)."""
    fields = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(fields[fields.index("Pss:") + 1]) / 1024


@contextmanager
def running(
    name: str, command: list[str], port: int, folder: Path, conditions: Conditions, **environment: str
) -> Iterator[Server]:
    """A server process that answers `/health`, its output in a file; stopped afterwards."""
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "-c", "0", *command] if conditions.one_cpu else command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            stdout=log,
            stderr=log,
        )
        try:
            while not answers(port):
                if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    log.seek(0)
                    sys.exit(f"{name} does not start:\n{log.read().decode()}")
                time.sleep(0.002)
            yield Server(name, process.pid, port, time.perf_counter() - began)
        finally:
            tree = process_tree(process.pid)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for left in tree:
                    os.kill(left, signal.SIGKILL)
                process.wait()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def service(url: URL, conditions: Conditions, folder: Path = HERE, name: str = "ours") -> Iterator[Server]:
    """This service, or another checkout of it, on an empty database to which it gives its schema."""
    migrated(make_app(url))
    port = free_port()
    environment = {
        "DATABASE_URL": dsn(url),
        "BETTER_AUTH_SECRET": SECRET,
        "PORT": str(port),
        "WEB_CONCURRENCY": str(conditions.workers),
        "PIN_WORKERS": str(conditions.pin).lower(),
        "METRICS_TOKEN": "a-token-for-the-benchmark",
    }
    with running(name, [sys.executable, "wsgi.py"], port, folder, conditions, **environment) as server:
        yield server


@contextmanager
def floor(conditions: Conditions) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.floor", str(port)]
    with running("floor", command, port, HERE, conditions) as server:
        yield server


@contextmanager
def peer(url: URL, conditions: Conditions, folder: Path, cache: Path) -> Iterator[Server]:
    """The FastAPI peer in `folder`, with its packages in a virtual environment in `cache`; it makes its own table."""
    requirements = folder / "requirements.txt"
    environment = cache.resolve() / hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    python = environment / "bin/python"
    if not (environment / "bin/uvicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
    if conditions.workers > 1:
        # One process makes the table: of several that try at once, one fails.
        with peer(url, conditions._replace(workers=1), folder, cache):
            pass
    port = free_port()
    command = [str(python), "-m", "uvicorn", "app.main:app", "--no-access-log", "--port", str(port)]
    command += ["--workers", str(conditions.workers)]
    variables = {"DATABASE_URL": dsn(url), "BETTER_AUTH_SECRET": SECRET, "PYTHONPYCACHEPREFIX": str(cache / "pycache")}
    with running("peer", command, port, folder, conditions, **variables) as server:
        yield server
