"""A worker's loop: one thread, in which requests take turns, each going on until it has to wait.

Threads take turns as well, since Python's interpreter lock lets one of them run at a time; but handing that over from
one processor to another costs more than most requests do. Here a request runs in a fiber (a greenlet), and what it
waits for is left to one epoll. Outside of a worker, under another server, in tests and in commands, there is no loop:
who waits by `wait_for`, `apart` or a `Waiter` then blocks the thread.
"""

import contextlib
import os
import select
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from math import inf
from threading import Event, get_ident
from time import monotonic
from typing import TypeVar

from greenlet import getcurrent, greenlet

# How late, at most, those who wait are told that their time is up.
TICK_SECONDS = 0.1

Result = TypeVar("Result")


def wait_for(descriptor: int, events: int, seconds: float) -> bool:
    """Whether any of these events (POLLIN, POLLOUT) is there, or comes within so many seconds."""
    fiber = getcurrent()
    if isinstance(fiber, Fiber):
        waiter = Waiter()
        fiber.loop.watch(descriptor, events | select.EPOLLONESHOT, waiter.resume)
        return waiter.wait(seconds)
    poller = select.poll()  # not select(), which knows no descriptor past 1023
    poller.register(descriptor, events)
    return bool(poller.poll(max(0, 1000 * seconds)))


def apart(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises: it may block, so a worker has another thread do it."""
    fiber = getcurrent()
    if not isinstance(fiber, Fiber):
        return work()
    waiter = Waiter()
    future = fiber.loop.helpers.submit(work)
    future.add_done_callback(lambda _: waiter.wake())
    waiter.wait(inf)
    return future.result()


def give_way() -> None:
    """Let whoever else has something to do go on first."""
    waiter = Waiter()
    waiter.wake()
    waiter.wait(inf)


class Waiter:
    """Whoever made it, waiting to be woken, once, by any thread."""

    def __init__(self) -> None:
        current = getcurrent()
        self._fiber = current if isinstance(current, Fiber) else None
        self._event = None if self._fiber else Event()

    def wait(self, seconds: float) -> bool:
        """Whether it is woken within that time."""
        if self._fiber:
            return self._fiber.loop.park(self, seconds)
        assert self._event
        return self._event.wait(seconds)

    def wake(self) -> None:
        if self._fiber:
            self._fiber.loop.soon(partial(self.resume, True))
        else:
            assert self._event
            self._event.set()

    def resume(self, result: object) -> None:
        """For the loop: let the fiber go on, unless it does already."""
        assert self._fiber
        if self._fiber.loop.parked.pop(self, None) is not None:
            self._fiber.switch(bool(result))


class Fiber(greenlet):
    """Does one piece of work after the other for its loop. It is kept, since a new one costs 8 µs."""

    def __init__(self, loop: "Loop") -> None:
        super().__init__(parent=loop.main)
        self.gr_context = copy_context()
        self.loop = loop

    def run(self, work: Callable[[], object]) -> None:
        while True:
            work()
            del work  # or what it was about is kept until the next
            self.loop.idle.append(self)
            work = self.loop.main.switch()


class Loop:
    """The loop of the thread that makes it."""

    def __init__(self, helpers: int) -> None:
        """With so many other threads, at most, for what blocks."""
        self.main = getcurrent()
        self.helpers = ThreadPoolExecutor(helpers)
        self.idle: list[Fiber] = []
        self.parked: dict[Waiter, float] = {}  # and until when they wait
        self._thread = get_ident()
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[int], object]] = {}
        self._soon: deque[Callable[[], object]] = deque()
        self._next_tick = 0.0
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._bell, select.EPOLLIN, lambda _: os.eventfd_read(self._bell))

    def watch(self, descriptor: int, events: int, tell: Callable[[int], object]) -> None:
        """Call `tell` with those events of a file that come, from now on."""
        try:
            self._epoll.modify(descriptor, events)
        except FileNotFoundError:
            self._epoll.register(descriptor, events)
        self._watched[descriptor] = tell

    def forget(self, descriptor: int) -> None:
        """Watch a file no more: before it is closed."""
        self._watched.pop(descriptor, None)
        with contextlib.suppress(FileNotFoundError):  # it is not watched
            self._epoll.unregister(descriptor)

    def spawn(self, work: Callable[[], object]) -> None:
        """Begin work in a fiber: it goes on by itself as soon as it waits. It must not raise."""
        fiber = self.idle.pop() if self.idle else Fiber(self)
        fiber.switch(work)

    def soon(self, call: Callable[[], object]) -> None:
        """Call this in the loop. May be called by any thread."""
        self._soon.append(call)
        if get_ident() != self._thread:
            self.ring()

    def ring(self) -> None:
        """End the waiting of `turn`. May be called by a signal handler."""
        os.eventfd_write(self._bell, 1)

    def park(self, waiter: Waiter, seconds: float) -> bool:
        """Let others go on until this one is woken, or its time is up: whether it was woken."""
        self.parked[waiter] = monotonic() + seconds
        woken: bool = self.main.switch()
        return woken

    def turn(self, seconds: float) -> None:
        """Deal with what has happened; wait for it for so long."""
        if self._soon:
            seconds = 0
        elif self.parked:
            seconds = min(seconds, TICK_SECONDS)
        for descriptor, events in self._epoll.poll(seconds):
            tell = self._watched.get(descriptor)
            if tell:
                tell(events)
        for _ in range(len(self._soon)):
            self._soon.popleft()()
        now = monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK_SECONDS
            for waiter in [waiter for waiter, until in self.parked.items() if until <= now]:
                waiter.resume(False)
