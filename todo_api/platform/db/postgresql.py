"""PostgreSQL, directly or behind a pooler in transaction mode, which allows neither start-up options nor SET."""

import select
from contextlib import closing
from time import monotonic
from typing import Any

import psycopg2
from psycopg2 import errors, extensions, extras
from sqlalchemy import Dialect

from todo_api.platform.db.pool import Pooled
from todo_api.platform.options import DatabaseOptions
from todo_api.platform.waiting import poll, wait_for

# Shorter than the five minutes after which a serverless PostgreSQL sleeps.
RECYCLE_SECONDS = 240
# The server gives up on a statement before we do, since its answer leaves the connection usable.
GRACE_SECONDS = 1
# A list comes in its index's order. Where the planner expects few rows it would rather read and sort them all, but an
# unusual user has many.
PLANNER = "SET LOCAL enable_sort = off; "
BUGS = (psycopg2.IntegrityError, psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.NotSupportedError)
extras.register_uuid()  # else a Uuid is bound and read as no UUID


class PostgreSQL:
    """The parts that differ by database: connecting, time limits, the meaning of errors."""

    writes_block = False
    begin = f"BEGIN; {PLANNER}"
    rolled_back: tuple[type[Exception], ...] = (errors.DeadlockDetected, errors.SerializationFailure)

    def __init__(self, dialect: Dialect, options: DatabaseOptions) -> None:
        self.dialect = dialect
        self.statement_seconds = options.statement_seconds
        self._arguments: Any
        self._arguments, keywords = dialect.create_connect_args(options.url)
        self._keywords: dict[str, Any] = {
            **keywords,
            "connect_timeout": options.connect_seconds,
            "tcp_user_timeout": 1000 * options.connect_seconds,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "application_name": options.application_name,
            "client_encoding": "utf8",
        }
        self._options = options
        self.prefix = self.limits(self.statement_seconds) + PLANNER

    def connect(self) -> Any:
        connection = psycopg2.connect(*self._arguments, **self._keywords)
        connection.autocommit = True
        return connection

    def limit_waits(self) -> None:
        """Limit how long a worker waits for a server that is frozen or cut off; migrations may take their time."""

        def wait(connection: Any) -> None:  # called for each wait; psycopg2 then ignores `connect_timeout`
            is_connected = connection.status in (extensions.STATUS_READY, extensions.STATUS_BEGIN)
            limit = self.statement_seconds + GRACE_SECONDS if is_connected else self._options.connect_seconds
            _wait_until(monotonic() + limit, connection)

        extensions.set_wait_callback(wait)

    def limits(self, seconds: float) -> str:
        """SQL that limits the time of what follows it in the same round trip and transaction."""
        lock, statement = round(1000 * min(self._options.lock_seconds, seconds)), round(1000 * seconds)
        return f"SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}; "

    def is_usable(self, pooled: Pooled, lost: float) -> bool:
        """Whether an idle connection still works; one from before `lost` may never learn that it is closed."""
        if pooled.made <= max(lost, monotonic() - RECYCLE_SECONDS):
            return False
        return not poll(pooled.connection.fileno(), select.POLLIN)  # if there is something to read, it is the end

    def is_bug(self, error: Exception) -> bool:
        return isinstance(error, BUGS)

    def gave_up(self, error: Exception) -> bool:
        """Whether a healthy server gave up on one statement: at a time limit, or to end a deadlock."""
        return isinstance(error, errors.LockNotAvailable | errors.QueryCanceled | extensions.TransactionRollbackError)

    def is_as_good_as_new(self, connection: Any) -> bool:
        """Whether a connection can go on after an error."""
        return not connection.closed and connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE

    def ask(self, question: str, deadline: float, seconds: int) -> None:
        """Run SQL on a connection of its own, by the deadline. Raises psycopg2.Error."""
        # Asynchronous, so that the limit also holds under a server that did not call `limit_waits`.
        with closing(psycopg2.connect(*self._arguments, **self._keywords, async_=True)) as connection:
            _wait_until(deadline, connection)
            cursor = connection.cursor()  # kept, since the connection refers to it weakly
            # The server gives up as well: else these would pile up behind a lock on the table.
            cursor.execute(self.limits(seconds) + question)
            _wait_until(deadline, connection)


def _wait_until(deadline: float, connection: Any) -> None:
    """Let a connection or a statement proceed until it is done. Raises OperationalError at the deadline."""
    while (state := connection.poll()) != extensions.POLL_OK:
        if not wait_for(connection.fileno(), state, deadline - monotonic()):
            # The caller closes the connection: within psycopg2's wait that would be a deadlock.
            raise psycopg2.OperationalError("no answer in time")
