"""Requests that wait for something to change: parked, without a database connection and without a worker's place."""

import logging
from collections.abc import Callable, Collection, Mapping
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
# For so long the answer may be missing before waiting requests are sent away.
PATIENCE_SECONDS = 5
MAX_PARKED_OF_ONE = 10


class Outcome(Enum):
    """Why a wait has ended."""

    OVER = auto()  # something may have changed, or the time is up
    SENT_AWAY = auto()  # there is no room to wait, the server stops, or the database does not answer


class Watch:
    """Lets requests wait until a number rises that belongs to a key, such as a user's last revision.

    A change in this process ends a wait at once (`notify`). Changes by others are found by asking once a second, one
    question for all that wait, and none while nobody does.
    """

    def __init__(self, ask: Callable[[Collection[str]], Mapping[str, int]]) -> None:
        """`ask` answers the numbers of these keys. Raises Unavailable."""
        self._ask = ask
        self._waits: dict[str, list[_Wait]] = {}
        self._number = 0
        self._asking = False
        self._observe: Callable[[int], object] = lambda number: None

    def observe_by(self, observe: Callable[[int], object]) -> None:
        """Have this called with the number of requests that wait, whenever it changes."""
        self._observe = observe

    def wait(self, key: str, known: int, seconds: float) -> Outcome:
        """Wait until the number may have risen above the known one, or for so long."""
        park = request.environ.get(PARK)
        if park is None:
            return self._block(key, known, seconds)
        waits = self._waits.setdefault(key, [])
        if len(waits) >= MAX_PARKED_OF_ONE:
            return Outcome.SENT_AWAY
        wait, started = _Wait(known), monotonic()
        waits.append(wait)
        self._count(1)
        if not self._asking:
            self._asking = True
            app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
            gevent.spawn(self._keep_asking, app)
        try:
            stayed = park(wait.end, seconds)
        finally:
            waits.remove(wait)
            if not waits:
                del self._waits[key]
            self._count(-1)
            request.environ[PARKED_SECONDS] = request.environ.get(PARKED_SECONDS, 0.0) + monotonic() - started
        return Outcome.OVER if stayed and not wait.in_vain else Outcome.SENT_AWAY

    def notify(self, key: str) -> None:
        """End the waits for a key, whose number has risen."""
        for wait in self._waits.get(key, ()):
            wait.end.set()

    def _count(self, more: int) -> None:
        self._number += more
        self._observe(self._number)

    def _block(self, key: str, known: int, seconds: float) -> Outcome:
        """Wait outside of our server."""
        deadline = monotonic() + seconds
        while (left := deadline - monotonic()) > 0:
            sleep(min(ASK_SECONDS, left))
            if self._ask([key]).get(key, 0) > known:
                break
        return Outcome.OVER

    def _keep_asking(self, app: Any) -> None:
        last_answer = monotonic()
        while self._waits:
            gevent.sleep(ASK_SECONDS)
            numbers: Mapping[str, int] = {}
            try:
                with app.app_context():
                    numbers = self._ask(list(self._waits))
                last_answer = monotonic()
            except Unavailable:
                pass  # it is in the log
            except Exception:
                log.exception("unhandled exception")
            in_vain = monotonic() > last_answer + PATIENCE_SECONDS
            for key, waits in self._waits.items():
                for wait in waits:
                    if in_vain or numbers.get(key, 0) > wait.known:
                        wait.in_vain = in_vain
                        wait.end.set()
        self._asking = False


class _Wait:
    def __init__(self, known: int) -> None:
        self.known = known
        self.end = Event()
        self.in_vain = False
