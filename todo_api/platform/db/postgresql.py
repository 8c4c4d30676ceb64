"""PostgreSQL, directly or behind a pooler in transaction mode, which allows neither start-up options nor SET."""

from time import monotonic
from typing import Any

import psycopg2
from psycopg2.extensions import (
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_INERROR,
    TRANSACTION_STATUS_INTRANS,
    TransactionRollbackError,
)
from sqlalchemy import Dialect

from todo_api.platform.db.options import DatabaseOptions
from todo_api.platform.db.pool import Pooled
from todo_api.platform.db.waits import is_closed_by_server, limit_waits, wait_until

# Shorter than the five minutes after which a serverless PostgreSQL sleeps.
RECYCLE_SECONDS = 240
# A list comes in its index's order. Where the planner expects few rows it would rather fetch and sort them all, and for
# a user unlike the others they are many.
PLANNER = "SET LOCAL enable_sort = off; "


class PostgreSQL:
    """What is PostgreSQL's own: connecting, time limits, transactions, and which errors mean what."""

    writes_block = False
    bugs = (psycopg2.IntegrityError, psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.NotSupportedError)

    def __init__(self, dialect: Dialect, options: DatabaseOptions) -> None:
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
        self._lock_seconds = options.lock_seconds
        self.statement_seconds = options.statement_seconds
        self.prefix = self.limits(options.statement_seconds) + PLANNER

    def limit_waits(self) -> None:
        """Limit how long this process waits for the server, whatever became of it."""
        limit_waits(self._keywords["connect_timeout"], self.statement_seconds)

    def connect(self) -> Any:
        connection = psycopg2.connect(*self._arguments, **self._keywords)
        connection.autocommit = True
        return connection

    def is_usable(self, pooled: Pooled, lost: float) -> bool:
        """Whether an idle connection still works; one from before `lost` may never learn that it is closed."""
        oldest = max(lost, monotonic() - RECYCLE_SECONDS)
        return pooled.made > oldest and not is_closed_by_server(pooled.connection)

    def gave_up(self, error: Exception) -> bool:
        """A healthy server gave up on one statement: its lock timeout, statement timeout, a deadlock."""
        kinds = (psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled, TransactionRollbackError)
        return isinstance(error, kinds)

    def is_as_good_as_new(self, connection: Any) -> bool:
        """After an error."""
        return not connection.closed and connection.info.transaction_status == TRANSACTION_STATUS_IDLE

    def limits(self, seconds: float) -> str:
        """Put before a statement, in its round trip and its transaction."""
        lock, statement = min(self._lock_seconds, seconds), seconds
        return (
            f"SET LOCAL lock_timeout = {round(1000 * lock)}; SET LOCAL statement_timeout = {round(1000 * statement)}; "
        )

    def begin(self, connection: Any) -> str:
        """What begins a transaction, in the round trip of its first statement."""
        return f"BEGIN; {PLANNER}"

    def commit(self, connection: Any) -> None:
        connection.cursor().execute("COMMIT")

    def roll_back(self, connection: Any) -> None:
        # Not where a statement is still under way: the connection is discarded.
        if connection.info.transaction_status in (TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR):
            connection.cursor().execute("ROLLBACK")

    def ask(self, question: str, deadline: float, seconds: int) -> None:
        """Run some SQL on a connection of its own, by the deadline. Raises psycopg2.Error."""
        # Asynchronous, so that the limit also holds under a server that did not call `limit_waits`.
        connection = psycopg2.connect(*self._arguments, **self._keywords, async_=True)
        try:
            wait_until(deadline, connection)
            # The server gives up as well: behind a lock on the table these questions would pile up.
            cursor = connection.cursor()  # kept, since the connection refers to it weakly
            cursor.execute(self.limits(seconds) + question)
            wait_until(deadline, connection)
        finally:
            connection.close()
