"""A worker: waitress, made to drain, to outlast hostile clients, and to answer its own errors as the API does.

waitress reads in one thread and answers in others, so each request is handed over twice, which the interpreter lock
makes dearer than the request itself. Here one thread does it all, and requests take turns in it (`platform.loop`).

waitress's own parser, channels and tasks are what is used of it. All that touches their internals is in `channels` and
in `answers`, written for the exact version in requirements.txt; each override says what it replaces.
"""

import contextlib
import logging
import resource
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from waitress.adjustments import Adjustments

from todo_api.platform.db import engine as db
from todo_api.platform.loop import Loop
from todo_api.platform.server.channels import Channel
from todo_api.platform.server.listener import BACKLOG, ignore_new_clients
from todo_api.settings import Settings

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2000
# File descriptors that are no client's: database connections (two files each on SQLite) and some for everything else.
OTHER_FILES = 64
HEADER_BYTES = 32 * 1024
# A request has to arrive within this time, and nobody may be silent for longer than that.
REQUEST_SECONDS = 10
SILENCE_SECONDS = 30
# While no connection is free, those that are silent give way sooner.
SILENCE_SECONDS_WHEN_FULL = 1
# However many requests wait for the database, there is a place for one that needs none, and one for `/health/db`.
SPARE_PLACES = 2
# How often the connections are looked after; and while it is waited for them to end.
TURN_SECONDS = 1
SHORT_TURN_SECONDS = 0.02
# The shortest sleep there is, in which another worker wakes: else the first takes all clients that come at once.
YIELD_SECONDS = 1e-9
# For handshakes that are under way when nobody new is let in, and for requests when the listener closes.
GRACE_SECONDS = 0.2


def serve(
    app: Flask,
    settings: Settings,
    listener: socket.socket,
    lifeline: int,
    connection_limit: int,
    *,
    ready: Callable[[], None],
) -> None:
    """Serve on the listener until SIGTERM, or until the other end of the lifeline is closed; then drain."""
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # what it says names paths, and so users
    db.bound_waits(settings)
    server = Server(app, settings, listener, connection_limit)
    app.extensions["draining"] = lambda: server.draining  # for who asks whether the service is ready
    server.loop.watch(lifeline, select.EPOLLIN | select.EPOLLONESHOT, lambda _: server.stop(all_workers=True))
    signal.signal(signal.SIGTERM, server.stop)
    ready()
    app.app_ctx_globals_class = NoGlobals  # type: ignore[assignment]
    with app.app_context():  # for all requests, which would make one each
        server.run()
        db.database().pool.close()  # so that SQLite leaves one file


class NoGlobals:
    """In place of Flask's `g`: what a request kept there, the others would find."""

    __slots__ = ()


def connection_limit(threads: int) -> int:
    """The connections a worker may hold. Allows this process the files for it, as far as it may."""
    wanted = MOST_CONNECTIONS + 2 * threads + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            limit = max(soft - 2 * threads - OTHER_FILES, 1)
            log.warning("at most %d connections a worker, since it may open only %d files", limit, soft)
            return limit
    return MOST_CONNECTIONS


class Server:
    """The listening socket and the connections: what waitress's channels and tasks take for their server."""

    # Still answering, but nobody should send more.
    draining = False

    def __init__(self, app: Any, settings: Settings, listener: socket.socket, connection_limit: int) -> None:
        body_bytes = 2 * settings.max_body_bytes  # what is over the limit by less gets the app's own answer
        self.adj = Adjustments(
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=body_bytes,
            inbuf_overflow=body_bytes + 1,  # in memory: the file system may be read-only
            outbuf_overflow=Adjustments.outbuf_high_watermark,
            log_socket_errors=False,  # clients disconnect
            ident=None,
            expose_tracebacks=False,
        )
        self.application = app
        self.active_channels: dict[int, Channel] = {}
        self.server_name = self.adj.server_name
        self.effective_port = settings.port
        listener.setblocking(False)
        self._listener = listener
        self._accepting = True
        self._connection_limit = connection_limit
        self._lame_duck_seconds = settings.lame_duck_seconds
        self._drain_seconds = settings.drain_seconds
        self._stopping = False
        self._all_stop = False
        self._next_maintenance = 0.0
        # Requests that may be under way at once. The other channels stay unread until one of those is answered.
        self._places = settings.threads + SPARE_PLACES
        self._queue: deque[Channel] = deque()
        self.loop = Loop(self._places)

    def stop(self, *_: object, all_workers: bool = False) -> None:
        """Have run() drain and return. May be called by a signal handler, and again."""
        self._stopping = True
        self._all_stop = self._all_stop or all_workers
        self.loop.ring()

    def run(self) -> None:
        """Serve until told to stop, then drain: answer what was accepted, and let nobody in for nothing."""
        self._await_clients()
        while not self._stopping:
            self._turn(TURN_SECONDS)
        self.draining = True
        self._go_on(self._lame_duck_seconds)
        if self._all_stop:  # else others go on accepting
            ignore_new_clients(self._listener)
            self._go_on(GRACE_SECONDS)
        self.loop.forget(self._listener.fileno())
        self._accepting = False
        for _ in range(BACKLOG):
            self._accept()  # whom the kernel has let in, it would reset
        self._listener.close()
        self._go_on(GRACE_SECONDS)
        self._go_on(self._drain_seconds - GRACE_SECONDS, while_busy=True)
        for channel in list(self.active_channels.values()):
            channel.take_no_more()  # or a write of the last moment is cut off before its answer
        self._go_on(GRACE_SECONDS, while_busy=True)
        if cut := self._busy():
            log.warning("stopped with %d requests unanswered", cut)

    def _go_on(self, seconds: float, *, while_busy: bool = False) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and (not while_busy or self._busy()):
            self._turn(min(left, SHORT_TURN_SECONDS))

    def _turn(self, seconds: float) -> None:
        self.loop.turn(seconds)
        now = time.time()
        if now >= self._next_maintenance:
            self._next_maintenance = now + TURN_SECONDS
            self._maintain(now)

    def _busy(self) -> int:
        return sum(channel.busy for channel in self.active_channels.values())

    def _await_clients(self) -> None:
        # Accepted after all else of a turn, or a new connection could be taken for one that has ended in it.
        self.loop.watch(self._listener.fileno(), select.EPOLLIN, lambda _: self.loop.soon(self._accept))

    def _accept(self) -> None:
        """Let one client in, and leave the next to another worker."""
        try:
            connection, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another worker was faster, or it has left
            return
        except OSError:  # there is no file to be had for it
            self.loop.forget(self._listener.fileno())
            return
        channel = Channel(self, connection, address, self.adj)
        try:
            for option in self.adj.socket_options:
                connection.setsockopt(*option)
            channel.await_turn()
        except OSError:  # of this client alone
            channel.handle_close()
        if self._full:  # the others wait in the kernel until one has left
            self.loop.forget(self._listener.fileno())
        time.sleep(YIELD_SECONDS)

    @property
    def _full(self) -> bool:
        return len(self.active_channels) >= self._connection_limit

    def serve(self, channel: Channel, events: int) -> None:
        """Have something done for a channel: now, or once there is a place for it."""
        if self._places:
            self._places -= 1
            self.loop.spawn(partial(self._serve, channel, events))
        else:
            self._queue.append(channel)

    def _serve(self, channel: Channel, events: int) -> None:
        self._take_turn(channel, events)
        while self._queue:
            channel = self._queue.popleft()
            self._take_turn(channel)
        self._places += 1

    @staticmethod
    def _take_turn(channel: Channel, events: int | None = None) -> None:
        try:
            channel.take_turn(channel.events() if events is None else events)  # it may have left meanwhile
        except BaseException:  # of this connection alone, whatever it is: the others share the loop
            log.exception("a connection failed")
            channel.refused = None
            with contextlib.suppress(Exception):
                channel.handle_close()

    def add_task(self, channel: Channel) -> None:
        """waitress hands a request over to another thread here. It is gone on with where it was read."""

    def pull_trigger(self) -> None:
        """waitress wakes its loop here, to send an answer. That is sent where it was made."""

    def _maintain(self, now: float) -> None:
        """Close who is silent, sooner while no connection is free, and who takes too long to send a request."""
        silent_since = now - (SILENCE_SECONDS_WHEN_FULL if self._full else SILENCE_SECONDS)
        for channel in self.active_channels.values():
            if channel.request is not channel.unfinished:
                channel.unfinished, channel.unfinished_since = channel.request, now
            late = channel.request is not None and channel.unfinished_since < now - REQUEST_SECONDS
            idle = channel.total_outbufs_len or not channel.unread()  # it does not read, or has nothing to say
            silent = channel.last_activity < silent_since and idle
            if not channel.in_hand and (late or silent):
                channel.cut()
        if self._accepting and not self._full:
            self._await_clients()
