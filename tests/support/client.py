"""`python wsgi.py` as a process, and a client for it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import jwt
from sqlalchemy import URL

from tests.outages.databases import as_given
from tests.outages.tools import eventually, temporary_folder
from tests.support import SECRET, free_port

ROOT = Path(__file__).parent.parent.parent
THREADS = 8
CLIENTS = 3 * THREADS
# Shorter than the defaults, so that the tests are; the soak has those.
SHORT = {"DB_CONNECT_TIMEOUT_SECONDS": "2", "DB_LOCK_TIMEOUT_SECONDS": "1", "DB_STATEMENT_TIMEOUT_SECONDS": "2"}


class Service:
    """`python wsgi.py` on a free port, and what it says."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self._log = folder / "log"
        environment = {"PATH": os.environ["PATH"], "BETTER_AUTH_SECRET": SECRET, "PORT": str(self.port), **environment}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "wsgi.py"], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def output(self) -> str:
        return self._log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, seconds: float = 15
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON body and headers (in lower case) of one request on a connection of its own."""
        client = Client(self.port, seconds)
        try:
            return client.request(method, path, body, headers)
        finally:
            client.close()

    def status(self, path: str, seconds: float = 15) -> int:
        return self.request("GET", path, headers=bearer("alice"), seconds=seconds)[0]


@contextmanager
def running_service(url: URL, **environment: str) -> Iterator[Service]:
    fixed = {"WEB_CONCURRENCY": "1", "THREADS": str(THREADS), "LAME_DUCK_SECONDS": "0"}
    environment = {"DATABASE_URL": as_given(url), **fixed, **environment}
    with temporary_folder() as folder:
        service = Service(folder, environment)
        try:
            eventually(lambda: _listens(service), 20)
            yield service
        finally:
            service.process.terminate()
            try:
                service.process.wait(15)
            except subprocess.TimeoutExpired:
                service.process.kill()
                service.process.wait()


def _listens(service: Service) -> bool:
    assert service.process.poll() is None, service.output()
    try:
        return service.status("/health") == 200
    except OSError:
        return False


def bearer(user_id: str) -> dict[str, str]:
    token = jwt.encode({"sub": user_id, "exp": int(time.time()) + 3600}, SECRET, "HS256")
    return {"Authorization": f"Bearer {token}"}


class Client(HTTPConnection):
    def __init__(self, port: int, seconds: float = 15) -> None:
        super().__init__("127.0.0.1", port, timeout=seconds)

    def request(  # type: ignore[override]
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        super().request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        response = self.getresponse()
        text = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        is_json = found.get("content-type") == "application/json"
        return response.status, json.loads(text) if is_json else text, found
