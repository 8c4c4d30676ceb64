"""Waiting without holding up others: in a worker other greenlets run meanwhile, anywhere else the thread blocks.

A worker serves each connection in a greenlet of gevent's, all in one thread. Under another WSGI server, in tests and in
commands there is no hub to switch to. gevent is not monkey-patched: what has to wait calls these functions.
"""

import select
from collections.abc import Callable
from typing import TypeVar

from gevent import sleep
from gevent.hub import Hub
from gevent.socket import wait_read, wait_write
from gevent.util import wrap_errors
from greenlet import getcurrent

READ, WRITE = 1, 2  # libev's numbers, and psycopg2's
Result = TypeVar("Result")


def current_hub() -> Hub | None:
    """The hub that runs the current greenlet; None outside of one. Never makes a hub, which would open an epoll."""
    parent = getcurrent().parent
    return parent if isinstance(parent, Hub) else None


def poll(descriptor: int, events: int, seconds: float = 0) -> bool:
    """Whether one of select.poll's events comes within that time, for which the thread blocks."""
    poller = select.poll()  # not select(), which knows no descriptor past 1023
    poller.register(descriptor, events)
    return bool(poller.poll(max(0, 1000 * seconds)))


def wait_for(descriptor: int, event: int, seconds: float) -> bool:
    """Whether a file can be read from (READ) or written to (WRITE) within that time."""
    if current_hub() is None:
        return poll(descriptor, select.POLLIN if event == READ else select.POLLOUT, seconds)
    try:
        (wait_read if event == READ else wait_write)(descriptor, seconds)
    except TimeoutError:
        return False
    return True


def run_in_thread(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises. It may block, so a worker has a helper thread do it."""
    hub = current_hub()
    if hub is None:
        return work()
    # Wrapped, since the thread would print an error's text.
    result: Result | Exception = hub.threadpool.apply(wrap_errors((Exception,), work))
    if isinstance(result, Exception):
        raise result
    return result


def yield_to_others() -> None:
    """Let every greenlet that is ready to run do so first."""
    if current_hub() is not None:
        sleep(0)
