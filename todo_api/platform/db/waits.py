"""Time limits for PostgreSQL that hold whatever became of the server: frozen, or behind a network that swallows all."""

import select
from time import monotonic
from typing import Any

import psycopg2
from psycopg2 import extensions

from todo_api.platform.waiting import wait_for

# The server gives up on a statement first, since its answer leaves the connection usable.
STATEMENT_GRACE_SECONDS = 1


def limit_waits(connect_seconds: float, statement_seconds: float) -> None:
    """Limit how long this process waits for PostgreSQL, on every connection.

    For the server's workers, after the fork: migrations may take their time. psycopg2 calls `wait` for each wait
    ("green" mode, in which it ignores `connect_timeout`).
    """

    def wait(connection: Any) -> None:
        connected = connection.status in (extensions.STATUS_READY, extensions.STATUS_BEGIN)
        seconds = statement_seconds + STATEMENT_GRACE_SECONDS if connected else connect_seconds
        wait_until(monotonic() + seconds, connection)

    extensions.set_wait_callback(wait)


def wait_until(deadline: float, connection: Any) -> None:
    """Let a connection or a statement proceed until it is done. Raises OperationalError at the deadline.

    The caller closes the connection: within psycopg2's wait that would be a deadlock.
    """
    while (state := connection.poll()) != extensions.POLL_OK:
        if not wait_for(connection.fileno(), state, deadline - monotonic()):
            raise psycopg2.OperationalError("no answer in time")


def is_closed_by_server(connection: Any) -> bool:
    """For an idle connection: anything to read on it can only be the end."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))
