"""The database connections of a process."""

import contextlib
from collections.abc import Callable
from time import monotonic
from typing import Any

from todo_api.platform.waiting import places, run_in_thread


class PoolExhausted(Exception):
    """All connections were in use for as long as the caller could wait."""


class Pooled:
    """A connection, and when it was made."""

    __slots__ = ("connection", "made")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.made = monotonic()


class Pool:
    """At most `size` connections; the one used last goes out first.

    SQLAlchemy's pool costs more than a statement's own way through the driver, and its waiting blocks the thread.
    """

    def __init__(self, connect: Callable[[], Any], size: int, is_usable: Callable[[Pooled], bool]) -> None:
        """`is_usable` looks at a connection before it goes out again."""
        self.size = size
        self._connect = connect
        self._is_usable = is_usable
        self._places = places(size, in_worker=False)
        self._idle: list[Pooled] = []
        self._lent: list[None] = []  # one for each: unlike a number, it is changed without a lock

    def enter_worker(self) -> None:
        """Wait as a worker does from now on: before the first connection is taken."""
        self._places = places(self.size, in_worker=True)

    @property
    def in_use(self) -> int:
        return len(self._lent)

    def take(self, seconds: float) -> Pooled:
        """A connection, waited for so long. Raises PoolExhausted, or what `connect` raises."""
        if not self._places.acquire(timeout=seconds):
            raise PoolExhausted
        self._lent.append(None)
        try:
            return self._pop_usable() or Pooled(run_in_thread(self._connect))
        except BaseException:
            self._leave()
            raise

    def give_back(self, pooled: Pooled) -> None:
        self._idle.append(pooled)
        self._leave()

    def discard(self, pooled: Pooled) -> None:
        """Close a connection that is of no use any more."""
        _close(pooled)
        self._leave()

    def close(self) -> None:
        """Close the connections that are not in use."""
        while pooled := self._pop():
            _close(pooled)

    def __del__(self) -> None:
        self.close()  # SQLite's connections do not close themselves

    def _pop_usable(self) -> Pooled | None:
        while pooled := self._pop():
            if self._is_usable(pooled):
                return pooled
            _close(pooled)
        return None

    def _pop(self) -> Pooled | None:
        try:
            return self._idle.pop()
        except IndexError:  # rather than asked first: another thread may take the last one meanwhile
            return None

    def _leave(self) -> None:
        self._lent.pop()
        self._places.release()


def _close(pooled: Pooled) -> None:
    with contextlib.suppress(Exception):  # it may be broken in any way
        pooled.connection.close()
