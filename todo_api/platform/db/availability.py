"""What this process knows about the database: whether it answers, and when to turn requests away."""

import logging
import re
from time import monotonic

import psycopg2

from todo_api.platform.db.pool import PoolExhausted

log = logging.getLogger(__name__)

# A request that waits this long for a connection, while all are in use and the database answers nobody, gives up.
POOL_WAIT_SECONDS = 0.5
# It gives up after this time in any case.
LONGEST_POOL_WAIT_SECONDS = 1
# Between two requests that try a hanging database: it is in use again within a second of its return.
PROBE_SECONDS = 0.8
# Between two log lines about the same kind of error.
LINE_SECONDS = 1


class Unavailable(Exception):
    """The database did not answer, or lacks the schema; a write may have happened all the same."""


class RolledBack(Unavailable):
    """The database rolled everything back, because of a deadlock or a concurrent write: it can be tried again."""


class Availability:
    """Turns requests away at once while the database hangs, so that there is room for those that do not need it.

    It hangs once a request waited in vain, for a connection or for an answer, while it answered nobody else. Then about
    one request a second tries it, until one is answered. Refusing connections is not hanging, since it takes no time.
    An error is an answer, so neither a held lock nor a slow statement turns others away. Threads may race here: at
    worst there is one probe more, or one line.
    """

    def __init__(self, upgrade_command: str) -> None:
        self._upgrade_command = upgrade_command
        self._last_answer = 0.0
        self._failing = False
        self._hanging = False
        self._next_probe = 0.0
        self._next_line: dict[type[Exception], float] = {}
        # Connections made before this time may be dead.
        self.lost = 0.0

    def admit(self) -> float:
        """Let a request try, or turn it away with Unavailable. Returns the time, for `failed`."""
        now = monotonic()
        if self._hanging:
            if now < self._next_probe:
                raise Unavailable
            self._next_probe = now + PROBE_SECONDS
        return now

    def is_worth_waiting(self, admitted: float) -> bool:
        """Whether a request that was admitted at that time should go on waiting for a connection."""
        now = monotonic()
        return now - self._last_answer < POOL_WAIT_SECONDS and now - admitted < LONGEST_POOL_WAIT_SECONDS

    def answered(self) -> None:
        self._last_answer = monotonic()
        if self._failing:
            self._failing = self._hanging = False
            log.warning("the database answers again")

    def failed(self, admitted: float, error: Exception) -> None:
        """Note that a request admitted at that time got no answer."""
        now = monotonic()
        if now - admitted >= POOL_WAIT_SECONDS and self._last_answer < now - POOL_WAIT_SECONDS / 2:
            if not self._hanging:
                self._next_probe = now + PROBE_SECONDS
            self._hanging = True
            if not isinstance(error, PoolExhausted):
                self.lost = now
        # Only after a line about it, so that a database that comes and goes does not flood the log.
        self._failing = self.report(error) or self._failing or self._hanging

    def report(self, error: Exception) -> bool:
        """Log an error, unless one of its kind was logged just now. Returns whether it was."""
        now = monotonic()
        if now < self._next_line.get(type(error), 0):
            return False
        self._next_line[type(error)] = now + LINE_SECONDS
        text = explained(error, self._upgrade_command)
        log.error(text if is_old_schema(error) else f"database unavailable: {text}")
        return True


def is_old_schema(error: Exception) -> bool:
    """Whether a table or a column is missing: the migrations of this version have not run."""
    return isinstance(error, psycopg2.errors.UndefinedTable | psycopg2.errors.UndefinedColumn) or bool(
        re.match(r"no such (table|column)|table \w+ has no column", str(error))
    )


def explained(error: Exception, upgrade_command: str) -> str:
    """An error's class and SQLSTATE, or what to do. The driver's text may hold addresses, names and values."""
    if is_old_schema(error):
        return f"the database lacks the schema of this version: run `{upgrade_command}`"
    return f"{type(error).__name__} {getattr(error, 'pgcode', None) or ''}".rstrip()
