"""Loads the server with every operation for long, and prints how much memory each worker has."""

import json
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import URL

from tests.serving import serving, token


def pss_kib(pid: int) -> int:
    """A process's share of memory, in KiB: pages that several share count in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Operations(threading.Thread):
    """Creates, lists, reads, updates, toggles and deletes, over and over: so many requests in all."""

    def __init__(self, port: int, token: str, requests: int) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self.wrong = 0
        self._connection = HTTPConnection("127.0.0.1", port, timeout=20)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._requests = requests

    def run(self) -> None:
        while self.done < self._requests:
            created = self._ask("POST", "/api/alice/tasks", 201, '{"title": "Buy milk"}')
            path = f"/api/alice/tasks/{json.loads(created)['id']}"
            self._ask("GET", "/api/alice/tasks?limit=20", 200)
            self._ask("GET", path, 200)
            self._ask("PUT", path, 200, '{"description": "two bottles"}')
            self._ask("PATCH", f"{path}/complete", 200)
            self._ask("DELETE", path, 204)
            self._ask("GET", path, 404)

    def _ask(self, method: str, path: str, status: int, body: str | None = None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        self.done += 1
        self.wrong += response.status != status
        return response.read()


def run(folder: Path, url: URL, requests: int, workers: int, clients: int) -> None:
    with serving(folder, url, WEB_CONCURRENCY=workers) as service:
        threads = [Operations(service.port, token(url), requests // clients) for _ in range(clients)]
        for thread in threads:
            thread.start()
        start, step = time.monotonic(), max(requests // 20, 1)
        shown = 0
        while True:
            done = sum(thread.done for thread in threads)
            alive = any(thread.is_alive() for thread in threads)
            if done >= shown or not alive:
                shown += step
                sizes = [pss_kib(worker) for worker in service.workers()]
                print(
                    f"{time.monotonic() - start:6.0f} s {done:8} requests, PSS of the workers in KiB: {sizes}",
                    flush=True,
                )
            if not alive:
                break
            time.sleep(0.5)
        print("wrong statuses:", sum(thread.wrong for thread in threads))
