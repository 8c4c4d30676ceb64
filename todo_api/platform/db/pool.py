"""The database connections of a process."""

import queue
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

import gevent.queue

from todo_api.platform.waiting import run_in_thread


class PoolExhausted(Exception):
    """All connections were in use for as long as the caller could wait."""


class Pooled(NamedTuple):
    """A connection, and when it was made."""

    connection: Any
    made: float


class Pool:
    """At most `size` connections, the last used first. SQLAlchemy's pool costs more than a statement, and blocks."""

    def __init__(self, connect: Callable[[], Any], size: int, is_usable: Callable[[Pooled], bool]) -> None:
        """`is_usable` checks a connection before it goes out again."""
        self.size = size
        self._connect = connect
        self._is_usable = is_usable
        # A slot for each connection; None is one that is still to be made.
        self._slots: Any = queue.LifoQueue()
        self._slots.queue[:] = [None] * size

    def enter_worker(self) -> None:
        """Wait as a worker does from now on. Called before the first connection is taken."""
        self._slots = gevent.queue.LifoQueue(items=[None] * self.size)

    @property
    def in_use(self) -> int:
        return self.size - int(self._slots.qsize())

    def take(self, seconds: float) -> Pooled:
        """A connection, after waiting `seconds` at most. Raises PoolExhausted, or what `connect` raises."""
        try:
            pooled: Pooled | None = self._slots.get(timeout=seconds)
        except queue.Empty:
            raise PoolExhausted from None
        try:
            if pooled and self._is_usable(pooled):
                return pooled
            _close(pooled)
            return Pooled(run_in_thread(self._connect), monotonic())
        except BaseException:
            self._slots.put(None)
            raise

    def give_back(self, pooled: Pooled, *, keep: bool = True) -> None:
        """Return a connection, which is closed unless it is to be kept."""
        if not keep:
            _close(pooled)
        self._slots.put(pooled if keep else None)

    def close(self) -> None:
        """Close the connections that are not in use, at the end."""
        with suppress(queue.Empty):
            while True:
                _close(self._slots.get_nowait())

    def __del__(self) -> None:
        self.close()  # SQLite's connections do not close themselves


def _close(pooled: Pooled | None) -> None:
    if pooled:
        with suppress(Exception):  # it may be broken in any way
            pooled.connection.close()
