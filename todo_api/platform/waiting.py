"""Waiting that holds up nobody else: in a worker other greenlets run meanwhile, anywhere else the thread blocks.

A worker (see `server/`) serves each connection in a greenlet of gevent's, all in one thread. Under another WSGI server,
in tests and in commands there is no hub to switch to. gevent is not monkey-patched: what has to wait calls these.
"""

import select
from collections.abc import Callable
from functools import lru_cache
from threading import Semaphore
from time import monotonic
from typing import Protocol, TypeVar

from gevent import lock, sleep
from gevent.hub import Hub
from gevent.util import wrap_errors
from greenlet import getcurrent, greenlet

READ, WRITE = 1, 2  # libev's numbers, and psycopg2's
_POLL_EVENTS = {READ: select.POLLIN, WRITE: select.POLLOUT}

# How late a wait may end, at most.
ROUND_SECONDS = 0.1

Result = TypeVar("Result")


class Places(Protocol):
    """A counting semaphore: threading's or gevent's."""

    def acquire(self, *, timeout: float) -> bool: ...

    def release(self) -> object: ...


def current_hub() -> Hub | None:
    """The hub that runs the current greenlet; None outside of one. Never makes a hub, which would open an epoll."""
    parent = getcurrent().parent
    return parent if isinstance(parent, Hub) else None


def places(number: int, *, in_worker: bool) -> Places:
    semaphore: Places = lock.Semaphore(number) if in_worker else Semaphore(number)
    return semaphore


class _Deadlines:
    """Until when greenlets wait, looked at every now and then: a timer for each would cost more than its wait."""

    def __init__(self, hub: Hub) -> None:
        self.of: dict[greenlet, float] = {}
        self._timer = hub.loop.timer(ROUND_SECONDS, ROUND_SECONDS)

    def keep(self) -> None:
        if not self._timer.active:  # type: ignore[attr-defined]
            self._timer.start(self._resume_late)

    def _resume_late(self) -> None:
        now = monotonic()
        for waiting in [waiting for waiting, deadline in self.of.items() if deadline <= now]:
            waiting.switch(False)
        if not self.of:
            self._timer.stop()


_deadlines = lru_cache(1)(_Deadlines)


def wait_for(descriptor: int, event: int, seconds: float) -> bool:
    """Whether a file can be read from (READ) or written to (WRITE) within that time."""
    hub = current_hub()
    if hub is None:
        poller = select.poll()  # not select(), which knows no descriptor past 1023
        poller.register(descriptor, _POLL_EVENTS[event])
        return bool(poller.poll(max(0, 1000 * seconds)))
    deadlines = _deadlines(hub)
    current, watcher = getcurrent(), hub.loop.io(descriptor, event)
    deadlines.of[current] = monotonic() + seconds
    deadlines.keep()
    watcher.start(current.switch, True)
    try:
        return bool(hub.switch())
    finally:
        del deadlines.of[current]
        watcher.close()


def run_in_thread(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises. It may block, so a worker has a helper thread do it."""
    hub = current_hub()
    if hub is None:
        return work()
    # Wrapped, since the thread would print what its work raises, with its text.
    result: Result | Exception = hub.threadpool.apply(wrap_errors((Exception,), work))
    if isinstance(result, Exception):
        raise result
    return result


def yield_to_others() -> None:
    """Let every greenlet that is ready to run do so first."""
    if current_hub() is not None:
        sleep(0)
