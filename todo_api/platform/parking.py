"""Requests that wait for something to change: parked, without a database connection and without a worker's place."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic, sleep
from typing import Any

import gevent
from flask import current_app, request
from gevent.event import Event

from todo_api.platform.db.availability import Unavailable

log = logging.getLogger(__name__)

# Keys in the WSGI environment: what parks the request (in our server), and for how many seconds it was parked.
PARK, PARKED_SECONDS = "todo_api.park", "todo_api.parked_seconds"
ASK_SECONDS = 1
# Waiting requests are sent away once the database has not answered for this long.
PATIENCE_SECONDS = 5
MAX_PARKED_OF_ONE = 10

# Waits until the number may have risen above the known one, for so many seconds at most. Returns False if the request
# is sent away: there is no room to wait, the server stops, or the database does not answer.
Wait = Callable[[int, float], bool]


@dataclass(eq=False)
class Watcher:
    """One request's watch on a key."""

    known: int = 0
    is_parked: bool = False
    in_vain: bool = False
    end: Event = field(default_factory=Event)


class Watch:
    """Lets requests wait until the number of a key rises, such as a user's last revision.

    A change in this process ends a wait at once (`notify`). Changes by others are found by asking once a second, with
    one question for all waiting requests, and none while there are none.
    """

    def __init__(self, ask: Callable[[Collection[str]], Mapping[str, int]]) -> None:
        """`ask` returns the numbers of some keys. Raises Unavailable."""
        self.ask = ask
        self._watchers: dict[str, list[Watcher]] = {}
        self._parked = 0
        self._asking = False
        self._observe: Callable[[int], object] = lambda number: None

    def observe_by(self, observe: Callable[[int], object]) -> None:
        """Call `observe` with the number of waiting requests whenever it changes."""
        self._observe = observe

    @contextmanager
    def watching(self, key: str) -> Iterator[Wait]:
        """Yields what waits. It misses no change from now on: enter this before reading the number."""
        watcher = Watcher()
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        try:
            yield partial(self._wait, key, watcher)
        finally:
            watchers.remove(watcher)
            if not watchers:
                self._watchers.pop(key, None)  # outside of our server, threads may race here

    def notify(self, key: str) -> None:
        """End the waits for a key, whose number has risen."""
        for watcher in self._watchers.get(key, ()):
            watcher.end.set()

    def _wait(self, key: str, watcher: Watcher, known: int, seconds: float) -> bool:
        park = request.environ.get(PARK)
        if park is None:
            self._block(key, known, seconds)
            return True
        if not watcher.end.is_set():
            if sum(other.is_parked for other in self._watchers[key]) >= MAX_PARKED_OF_ONE:
                return False
            started = monotonic()
            watcher.known, watcher.is_parked = known, True
            self._count(1)
            try:
                stayed = park(watcher.end, seconds)
            finally:
                watcher.is_parked = False
                self._count(-1)
                request.environ[PARKED_SECONDS] = request.environ.get(PARKED_SECONDS, 0.0) + monotonic() - started
            if watcher.in_vain or not stayed:
                return False
        watcher.end.clear()
        return True

    def _block(self, key: str, known: int, seconds: float) -> None:
        """Wait outside of our server."""
        deadline = monotonic() + seconds
        while (remaining := deadline - monotonic()) > 0:
            sleep(min(ASK_SECONDS, remaining))
            with suppress(Unavailable):  # waits outlast a short outage
                if self.ask([key]).get(key, 0) > known:
                    break

    def _count(self, more: int) -> None:
        """Count parked requests: while there are any, the numbers are asked for."""
        self._parked += more
        self._observe(self._parked)
        if not self._asking:
            self._asking = True
            app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
            gevent.spawn(self._keep_asking, app)

    def _keep_asking(self, app: Any) -> None:
        asked, silent_since = monotonic(), inf
        while True:
            # From question to question, so that a slow answer does not delay what the next one finds.
            gevent.sleep(max(0, asked + ASK_SECONDS - monotonic()))
            if not self._parked:
                break
            asked = monotonic()
            silent_since = min(silent_since, asked)
            numbers: Mapping[str, int] = {}
            try:
                with app.app_context():
                    numbers = self.ask(list(self._watchers))
                silent_since = inf
            except Unavailable:
                pass  # logged already
            except Exception:
                log.exception("unhandled exception")
            in_vain = monotonic() > silent_since + PATIENCE_SECONDS
            for key, watchers in self._watchers.items():
                for watcher in watchers:
                    if watcher.is_parked and (in_vain or numbers.get(key, 0) > watcher.known):
                        watcher.in_vain = in_vain
                        watcher.end.set()
        self._asking = False
