"""The connections of a process."""

import contextlib
from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any

from todo_api.platform.loop import Waiter, apart


class PoolExhausted(Exception):
    """All connections were in use for as long as it was waited for one."""


class Pooled:
    """A connection, and since when there is it."""

    __slots__ = ("connection", "made")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.made = monotonic()


class Pool:
    """At most `size` connections. The one used last goes out first, those who wait for one are served in order.

    SQLAlchemy's pool costs more than a statement's own way through the driver, and its waiting blocks the thread.
    """

    def __init__(self, connect: Callable[[], Any], size: int, is_usable: Callable[[Pooled], bool]) -> None:
        """`is_usable` looks at a connection before it goes out again."""
        self.size = size
        self._connect = connect
        self._is_usable = is_usable
        self._lock = Lock()
        self._free = size
        self._pooled: list[Pooled] = []
        self._waiting: deque[Waiter] = deque()

    @property
    def in_use(self) -> int:
        return self.size - self._free

    def take(self, seconds: float) -> Pooled:
        """A connection, waited for so long. Raises PoolExhausted, or what `connect` raises."""
        self._enter(seconds)
        try:
            while pooled := self._pop():
                if self._is_usable(pooled):
                    return pooled
                _close(pooled)
            return Pooled(apart(self._connect))
        except BaseException:
            self._leave()
            raise

    def give_back(self, pooled: Pooled) -> None:
        self._pooled.append(pooled)
        self._leave()

    def discard(self, pooled: Pooled) -> None:
        """Instead of giving it back: it is of no use any more."""
        _close(pooled)
        self._leave()

    def close(self) -> None:
        """Close what is not in use."""
        while pooled := self._pop():
            _close(pooled)

    def __del__(self) -> None:
        """As SQLite's connections do not close themselves."""
        self.close()

    def _pop(self) -> Pooled | None:
        with contextlib.suppress(IndexError):  # not asked for before, or another thread may take the last one meanwhile
            return self._pooled.pop()
        return None

    def _enter(self, seconds: float) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = Waiter()
            self._waiting.append(waiter)
        if not waiter.wait(seconds):
            with self._lock:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                    raise PoolExhausted

    def _leave(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().wake()  # a place of its own: nobody gets ahead of it
            else:
                self._free += 1


def _close(pooled: Pooled) -> None:
    with contextlib.suppress(Exception):  # it may be broken in any way
        pooled.connection.close()
