"""Loads the server with every operation for long, and prints how much memory each worker has."""

import threading
import time
from pathlib import Path

from sqlalchemy import URL

from tests.support.client import Answer, Client
from tests.support.processes import memory_kib
from tests.support.service import serving


class Operations(threading.Thread):
    """Creates, lists, reads, updates, toggles and deletes, over and over: so many requests in all."""

    def __init__(self, port: int, requests: int) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self.wrong = 0
        self._client = Client(port, "alice", 20)
        self._requests = requests

    def run(self) -> None:
        while self.done < self._requests:
            created = self._ask("POST", "/api/alice/tasks", 201, {"title": "Buy milk"})
            path = created.headers["Location"]
            self._ask("GET", "/api/alice/tasks?limit=20", 200)
            self._ask("GET", path, 200)
            self._ask("PUT", path, 200, {"description": "two bottles"})
            self._ask("PATCH", f"{path}/complete", 200)
            self._ask("DELETE", path, 204)
            self._ask("GET", path, 404)

    def _ask(self, method: str, path: str, status: int, body: dict[str, str] | None = None) -> Answer:
        answer = self._client.request(method, path, body)
        self.done += 1
        self.wrong += answer.status != status
        return answer


def run(folder: Path, url: URL, requests: int, workers: int, clients: int) -> None:
    with serving(folder, url, WEB_CONCURRENCY=workers) as service:
        threads = [Operations(service.port, requests // clients) for _ in range(clients)]
        for thread in threads:
            thread.start()
        start, step = time.monotonic(), max(requests // 20, 1)
        shown = 0
        while True:
            done = sum(thread.done for thread in threads)
            alive = any(thread.is_alive() for thread in threads)
            if done >= shown or not alive:
                shown += step
                sizes = [memory_kib(worker) for worker in service.workers()]
                print(
                    f"{time.monotonic() - start:6.0f} s {done:8} requests, PSS of the workers in KiB: {sizes}",
                    flush=True,
                )
            if not alive:
                break
            time.sleep(0.5)
        print("wrong statuses:", sum(thread.wrong for thread in threads))
