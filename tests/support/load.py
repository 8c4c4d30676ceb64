"""Load on a server whose database fails, and what became of each request."""

import threading
import time
from typing import Any

from tests.support.client import Client
from tests.support.databases import Postgres, stored_titles

# Three for each of the requests that a worker can have in the database at once.
CLIENTS = 3 * 8
# One worker, and shorter time limits than the defaults, so that the tests are short; the soak has the defaults.
SHORT = {
    "WEB_CONCURRENCY": 1,
    "DB_CONNECT_TIMEOUT_SECONDS": 2,
    "DB_LOCK_TIMEOUT_SECONDS": 1,
    "DB_STATEMENT_TIMEOUT_SECONDS": 2,
}
UNAVAILABLE = {"detail": "Service Unavailable", "status_code": 503}


class Load:
    """Clients that create and list tasks, and another that asks for `/health`; every answer is kept."""

    def __init__(self, port: int, clients: int = CLIENTS, *, pause: float = 0.05) -> None:
        """`pause` is that of a client between two requests, in seconds; the soak has less."""
        self._port = port
        self._pause = pause
        self._stop = threading.Event()
        self.answers: list[tuple[float, int, float]] = []  # when it came, its status, and the seconds it took
        self.health: list[float] = []
        self.wrong: list[Any] = []
        self.created: dict[str, int] = {}
        self.in_doubt: set[str] = set()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        self._threads.append(threading.Thread(target=self._watch))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def slowest(self) -> float:
        return max(seconds for _, _, seconds in self.answers)

    def first_success_after(self, moment: float) -> float:
        """Seconds from that moment (monotonic) to the first request that was begun later and succeeded."""
        return min(
            (at - moment for at, status, seconds in self.answers if status < 300 and at - seconds >= moment),
            default=float("inf"),
        )

    def lost(self, database: Postgres) -> set[str]:
        """What was acknowledged and is not stored."""
        return set(self.created) - stored_titles(database.url)

    def in_doubt_and_stored(self, database: Postgres) -> set[str]:
        return self.in_doubt & stored_titles(database.url)

    def assert_nothing_lost_nor_wrong(self, database: Postgres) -> None:
        assert self.wrong == []
        assert self.slowest < 10
        # The soak holds it to one second; here the clients and whatever else runs take their share of the processors.
        assert max(self.health) < 2
        assert self.lost(database) == set()
        assert stored_titles(database.url) <= set(self.created) | self.in_doubt

    def _run(self, number: int) -> None:
        client, path = Client(self._port, f"user-{number}"), f"/api/user-{number}/tasks"
        count = 0
        while not self._stop.is_set():
            count += 1
            title = f"{number}-{count}" if count % 2 else None
            start = time.monotonic()
            try:
                with client:  # a connection for each request
                    if title:
                        status, body, headers = client.request("POST", path, {"title": title})
                    else:
                        status, body, headers = client.request("GET", f"{path}?limit=5")
            except OSError as error:
                self.wrong.append(repr(error))
                continue
            self.answers.append((time.monotonic(), status, time.monotonic() - start))
            if status == 503:
                if (body, headers["Retry-After"]) != (UNAVAILABLE, "1"):
                    self.wrong.append((status, body, headers.items()))
                if title:
                    self.in_doubt.add(title)
                self._stop.wait(0.1)
            elif status == 201:
                self.created[title or ""] = body["id"]
            elif status != 200:
                self.wrong.append((status, body))
            self._stop.wait(self._pause)

    def _watch(self) -> None:
        client = Client(self._port)
        while not self._stop.wait(0.1):
            start = time.monotonic()
            try:
                with client:
                    status = client.request("GET", "/health").status
            except OSError as error:
                self.wrong.append(("/health", repr(error)))
                continue
            self.health.append(time.monotonic() - start)
            if status != 200:
                self.wrong.append(("/health", status))
