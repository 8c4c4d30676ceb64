"""Whether the database answers and has its schema, found out beside the pool, which may be exhausted."""

import logging
import sqlite3
from collections.abc import Callable
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic

import psycopg2

from todo_api.platform.db.availability import MIGRATE_COMMAND, described, is_missing_table
from todo_api.platform.loop import apart

log = logging.getLogger(__package__)

READY_SECONDS = 2  # for connecting and the query together
KEPT_SECONDS = 1  # an answer serves everybody who asks until then
PATIENCE_SECONDS = 0.25  # for those who find somebody else asking already


class Readiness:
    """Asks at most once at a time and once a second, whoever calls, and never keeps more than one caller waiting long.

    The question is asked in a thread of its own, so that the time limit also covers what has none, such as looking
    up the host's name.
    """

    def __init__(self, ask: Callable[[float], None]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._asked = self._answered = float("-inf")
        self._done = Event()
        self._done.set()
        self._ready = False
        self._problem = ""

    def __call__(self) -> bool:
        with self._lock:
            now = monotonic()
            if self._done.is_set():
                if now < self._answered + KEPT_SECONDS:
                    return self._ready
                done = Event()
                Thread(target=self._answer, args=(done, now + READY_SECONDS), daemon=True).start()
                self._done, self._asked = done, now
                patience: float = READY_SECONDS
            elif now < self._answered + KEPT_SECONDS + READY_SECONDS:
                return self._ready
            else:
                patience = self._asked + PATIENCE_SECONDS - now
            done = self._done
        return apart(partial(done.wait, max(0, patience))) and self._ready

    def _answer(self, done: Event, deadline: float) -> None:
        problem = "a fault of ours"
        try:
            self._ask(deadline)
            problem = ""
        except (psycopg2.Error, sqlite3.Error) as error:
            if is_missing_table(error):
                problem = f"the database has no schema yet: run `{MIGRATE_COMMAND}`"
            else:
                problem = described(error)
        finally:
            self._ready, self._answered = not problem, monotonic()
            if problem != self._problem:
                log.warning("not ready: %s", problem) if problem else log.info("ready")
            self._problem = problem
            done.set()
