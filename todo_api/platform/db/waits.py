"""Time limits that hold on this side, whatever became of the server: it may be frozen, or the network swallow all."""

import select
from time import monotonic
from typing import Any

import psycopg2
from psycopg2 import extensions

from todo_api.platform.loop import wait_for
from todo_api.settings import Settings

_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}
# The server gives up on a statement first, as its answer leaves the connection usable.
STATEMENT_GRACE_SECONDS = 1


def bound_waits(settings: Settings) -> None:
    """Limit how long this process waits for PostgreSQL, on every connection.

    For the server's workers, after the fork: migrations may take their time. psycopg2 calls this for each wait
    ("green" mode, in which it ignores `connect_timeout`).
    """

    def wait(connection: Any) -> None:
        if connection.status in (extensions.STATUS_READY, extensions.STATUS_BEGIN):
            seconds = settings.db_statement_timeout_seconds + STATEMENT_GRACE_SECONDS
        else:
            seconds = settings.db_connect_timeout_seconds
        wait_until(monotonic() + seconds, connection)

    extensions.set_wait_callback(wait)


def wait_until(deadline: float, connection: Any) -> None:
    """Let a connection or a statement get on until it is done. Raises OperationalError when it is not by then.

    Closing the connection is left to the caller: within psycopg2's wait it would be a deadlock.
    """
    while (state := connection.poll()) != extensions.POLL_OK:
        if not wait_for(connection.fileno(), _EVENTS[state], deadline - monotonic()):
            raise psycopg2.OperationalError("no answer in time")


def can_be_read(connection: Any) -> bool:
    """Of a connection from which nobody waits for an answer: whether the server has closed it."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))
