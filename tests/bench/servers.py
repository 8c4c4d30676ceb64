"""The servers to measure: this service, the floor, and two peers."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL

from tests.support.apps import migrate
from tests.support.checkout import ROOT
from tests.support.ports import free_port
from tests.support.programs import installed_packages
from tests.support.service import Service, serving

FASTIFY = ROOT / "tests/bench/fastify"


class Server(NamedTuple):
    """A running server, by the name that the figures are shown under."""

    name: str
    service: Service


class Conditions(NamedTuple):
    """How servers are started: worker processes, `PIN_WORKERS`, and whether each server is held on one CPU."""

    workers: int = 1
    pin: bool = False
    one_cpu: bool = False


@contextmanager
def running(
    name: str,
    url: URL | None,
    conditions: Conditions,
    *,
    root: Path = ROOT,
    other: Sequence[str] = (),
    **settings: object,
) -> Iterator[Server]:
    before = ("taskset", "-c", "0") if conditions.one_cpu else ()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), url, root=root, before=before, other=other, **settings) as service,
    ):
        yield Server(name, service)


@contextmanager
def service(url: URL, conditions: Conditions, root: Path = ROOT, name: str = "ours") -> Iterator[Server]:
    """This service, or another checkout of it, on an empty database to which it gives its schema."""
    settings = {
        "WEB_CONCURRENCY": conditions.workers,
        "PIN_WORKERS": conditions.pin,
        "METRICS_TOKEN": "a-token-for-the-benchmark",
    }
    with running(name, migrate(url), conditions, root=root, **settings) as server:
        yield server


@contextmanager
def floor(conditions: Conditions) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, str(ROOT / "tests/bench/floor.py"), str(port)]
    with running("floor", None, conditions, other=command, PORT=port) as server:
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
    settings = {"PORT": port, "PYTHONPATH": folder.resolve(), "PYTHONPYCACHEPREFIX": cache / "pycache"}
    with running("peer", url, conditions, other=command, **settings) as server:
        yield server


@contextmanager
def fastify(url: URL, conditions: Conditions) -> Iterator[Server]:
    """The Fastify peer, with its packages beside it; it makes its own table."""
    installed_packages(FASTIFY)
    command = ["node", str(FASTIFY / "server.js")]
    with running("fastify", url, conditions, other=command, WEB_CONCURRENCY=conditions.workers) as server:
        yield server
