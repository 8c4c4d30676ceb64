"""Whether the database answers and has its schema, asked on a connection of its own: the pool may be exhausted."""

import logging
from collections.abc import Callable
from functools import partial
from threading import Lock, Thread
from time import monotonic

from todo_api.platform.db.availability import explained
from todo_api.platform.waiting import run_in_thread

log = logging.getLogger(__name__)

READY_SECONDS = 2  # for connecting and the query together
KEPT_SECONDS = 1  # an answer serves every caller until then
PATIENCE_SECONDS = 0.25  # for callers that find a question under way already


class Readiness:
    """Asks once a second at most, one question at a time, and keeps at most one caller waiting long."""

    def __init__(self, ask: Callable[[float], None], upgrade_command: str) -> None:
        """`ask` gets a deadline, and raises the driver's error if the database is not ready."""
        self._ask = ask
        self._upgrade_command = upgrade_command
        self._lock = Lock()
        self._asked = self._answered = float("-inf")
        self._thread = Thread()
        self._problem: str | None = "never asked"

    def __call__(self) -> bool:
        with self._lock:
            now, patience = monotonic(), float(READY_SECONDS)
            if not self._thread.is_alive() and now >= self._answered + KEPT_SECONDS:
                # In a thread, so that the time limit also covers what has none, such as looking up the host's name.
                self._thread, self._asked = Thread(target=self._find_out, args=[now + READY_SECONDS], daemon=True), now
                self._thread.start()
            elif now < self._answered + KEPT_SECONDS + READY_SECONDS:
                return self._problem is None
            else:
                patience = max(0, self._asked + PATIENCE_SECONDS - now)
            thread = self._thread
        run_in_thread(partial(thread.join, patience))
        return not thread.is_alive() and self._problem is None

    def _find_out(self, deadline: float) -> None:
        problem = None
        try:
            self._ask(deadline)
        except Exception as error:
            problem = explained(error, self._upgrade_command)
        if problem != self._problem:
            log.warning("not ready: %s", problem) if problem else log.info("ready")
        self._problem, self._answered = problem, monotonic()
