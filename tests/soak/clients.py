"""Clients that load a server until it is gone, and note what became of each request."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any
from uuid import uuid4

from sqlalchemy import URL

from tests.support.client import Client
from tests.support.databases import stored_titles


@dataclass
class Report:
    """What became of the requests, in the order in which it is printed."""

    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)  # titles answered 201
    lost: list[str] = field(default_factory=list)  # sent, and the connection ended without an answer
    torn: list[str] = field(default_factory=list)  # answered in part
    slowest: float = 0.0

    def add(self, other: "Report") -> None:
        self.statuses += other.statuses
        self.acknowledged |= other.acknowledged
        self.lost += other.lost
        self.torn += other.torn
        self.slowest = max(self.slowest, other.slowest)

    def compared_with(self, url: URL) -> dict[str, Any]:
        """The figures, with what the database has."""
        stored = stored_titles(url)
        return {
            "answers": dict(sorted(self.statuses.items())),
            "acknowledged": len(self.acknowledged),
            "acknowledged, not stored": len(self.acknowledged - stored),
            "stored, unanswered": len(stored - self.acknowledged),
            "lost": len(self.lost),
            "torn": len(self.torn),
            "slowest (s)": round(self.slowest, 2),
        }


class Writer(threading.Thread):
    """Sends one request after the other, each POST with a title of its own, until told to end or nobody listens."""

    def __init__(self, port: int, *, keep_alive: bool, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.report = Report()
        self._client = Client(port, "alice", 20)
        self._keep_alive = keep_alive
        self._ended = ended

    def run(self) -> None:
        number = 0
        while not self._ended.is_set() and self._connected():
            title = uuid4().hex
            if number % 4:
                status = self._exchange(title, "POST", {"title": title})
                if status == 201:
                    self.report.acknowledged.add(title)
            else:
                self._exchange(title, "GET")
            number += 1
        self._client.connection.close()

    def _connected(self) -> bool:
        """Whether there is a connection, or a new one can be made."""
        if self._client.connection.sock is None:
            try:
                self._client.connection.connect()
            except ConnectionRefusedError:
                return False
        return True

    def _exchange(self, title: str, method: str, body: dict[str, str] | None = None) -> int:
        """The status of the answer, or 0."""
        start = time.monotonic()
        try:
            return self._read(self._client.send(method, "/api/alice/tasks?limit=100", body), title)
        except (RemoteDisconnected, OSError) as error:
            self.report.lost.append(f"{method} {title} {error!r}")
        except HTTPException as error:
            self.report.torn.append(f"{method} {title} {error!r}")
        finally:
            self.report.slowest = max(self.report.slowest, time.monotonic() - start)
        self._client.connection.close()
        return 0

    def _read(self, response: HTTPResponse, title: str) -> int:
        try:
            response.read()
        except (IncompleteRead, OSError) as error:
            self.report.torn.append(f"{title} {error!r}")
            self._client.connection.close()
            return 0
        self.report.statuses[response.status] += 1
        if not self._keep_alive or response.will_close:
            self._client.connection.close()
        return response.status


@contextmanager
def load(port: int, count: int) -> Iterator[Callable[[], Report]]:
    """So many clients at work, every other one on a new connection for each request; what it gives ends them and
    returns their report.
    """
    ended = threading.Event()
    clients = [Writer(port, keep_alive=bool(number % 2), ended=ended) for number in range(count)]

    def end() -> Report:
        ended.set()
        report = Report()
        for client in clients:
            client.join(30)
            report.add(client.report)
        return report

    for client in clients:
        client.start()
    try:
        yield end
    finally:
        ended.set()
