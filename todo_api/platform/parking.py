"""Requests that wait for something to change: parked, without a database connection and without a worker's place."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum, auto
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


class Outcome(Enum):
    """Why a wait has ended."""

    OVER = auto()  # something may have changed, or the time is up
    SENT_AWAY = auto()  # no room to wait, the server is stopping, or the database does not answer


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
    def watching(self, key: str) -> Iterator["Watcher"]:
        """A watcher that misses no change from now on: enter this before reading the number."""
        watcher = Watcher(self, key)
        watchers = self._watchers.setdefault(key, [])
        watchers.append(watcher)
        try:
            yield watcher
        finally:
            watchers.remove(watcher)
            if not watchers:
                self._watchers.pop(key, None)  # outside of our server, threads may race here

    def notify(self, key: str) -> None:
        """End the waits for a key, whose number has risen."""
        for watcher in self._watchers.get(key, ()):
            watcher.end.set()

    def has_room_for(self, key: str) -> bool:
        return sum(watcher.is_parked for watcher in self._watchers[key]) < MAX_PARKED_OF_ONE

    @contextmanager
    def parked(self) -> Iterator[None]:
        """Count a parked request: while there are any, the numbers are asked for."""
        self._count(1)
        if not self._asking:
            self._asking = True
            app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
            gevent.spawn(self._keep_asking, app)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        self._parked += more
        self._observe(self._parked)

    def _keep_asking(self, app: Any) -> None:
        asked, answered, silent_since = monotonic(), True, 0.0
        while True:
            # From question to question, so that a slow answer does not delay what the next one finds.
            gevent.sleep(max(0, asked + ASK_SECONDS - monotonic()))
            if not self._parked:
                break
            asked = monotonic()
            if answered:
                silent_since = asked
            answered = False
            numbers: Mapping[str, int] = {}
            try:
                with app.app_context():
                    numbers = self.ask(list(self._watchers))
                answered = True
            except Unavailable:
                pass  # logged already
            except Exception:
                log.exception("unhandled exception")
            in_vain = not answered and monotonic() > silent_since + PATIENCE_SECONDS
            for key, watchers in self._watchers.items():
                for watcher in watchers:
                    if in_vain or numbers.get(key, 0) > watcher.known:
                        watcher.in_vain = in_vain
                        watcher.end.set()
        self._asking = False


class Watcher:
    """One request's watch on a key."""

    def __init__(self, watch: Watch, key: str) -> None:
        self._watch = watch
        self._key = key
        self.known = 0
        self.end = Event()
        self.in_vain = False
        self.is_parked = False

    def wait(self, known: int, seconds: float) -> Outcome:
        """Wait until the number may have risen above the known one, for `seconds` at most."""
        park = request.environ.get(PARK)
        if park is None:
            return self._block(known, seconds)
        if not self.end.is_set():
            if not self._watch.has_room_for(self._key):
                return Outcome.SENT_AWAY
            self.known, self.is_parked, started = known, True, monotonic()
            try:
                with self._watch.parked():
                    stayed = park(self.end, seconds)
            finally:
                self.is_parked = False
                request.environ[PARKED_SECONDS] = request.environ.get(PARKED_SECONDS, 0.0) + monotonic() - started
            if self.in_vain or not stayed:
                return Outcome.SENT_AWAY
        self.end.clear()
        return Outcome.OVER

    def _block(self, known: int, seconds: float) -> Outcome:
        """Wait outside of our server."""
        deadline = monotonic() + seconds
        while (remaining := deadline - monotonic()) > 0:
            sleep(min(ASK_SECONDS, remaining))
            with suppress(Unavailable):  # waits outlast a short outage
                if self._watch.ask([self._key]).get(self._key, 0) > known:
                    break
        return Outcome.OVER
