"""A worker: waitress, made to drain, to outlast hostile clients, and to answer its own errors as the API does.

All that touches waitress's internals is here and in `answers`, written for the exact version in requirements.txt.
Each override says what it replaces.
"""

import contextlib
import logging
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.wasyncore import dispatcher, file_dispatcher, poll2

from todo_api.app import create_app
from todo_api.config import Settings
from todo_api.db import db
from todo_api.server.answers import Refusal, Task

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2000
# File descriptors that are no client's: database connections (a thread's each) and some for everything else.
OTHER_FILES = 64
HEADER_BYTES = 32 * 1024
# A request has to arrive within this time, and nobody may be silent for longer than that.
REQUEST_SECONDS = 10
SILENCE_SECONDS = 30
# While no connection is free, those that are silent give way sooner.
SILENCE_SECONDS_WHEN_FULL = 1
TURN_SECONDS = 1
# For requests that are under way on connections which are open when the listener closes.
GRACE_SECONDS = 0.2


def serve(
    settings: Settings, listener: socket.socket, lifeline: int, connection_limit: int, ready: Callable[[], None]
) -> None:
    """Serve on the listener until SIGTERM, or until the other end of the lifeline is closed; then drain."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # each request that waits for a thread is no news
    app = create_app(settings)
    server = Server(app, settings, listener, connection_limit)
    app.extensions["draining"] = lambda: server.draining  # for who asks whether the service is ready
    Lifeline(server, lifeline)
    signal.signal(signal.SIGTERM, server.stop)
    ready()
    server.run()
    with app.app_context():
        db.engine.dispose()  # so that SQLite leaves one file


def connection_limit(threads: int) -> int:
    """The connections a worker may hold. Allows this process the files for it, as far as it may."""
    wanted = MOST_CONNECTIONS + threads + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            limit = max(soft - threads - OTHER_FILES, 1)
            log.warning("at most %d connections a worker, since it may open only %d files", limit, soft)
            return limit
    return MOST_CONNECTIONS


class Channel(HTTPChannel):
    """One client's connection."""

    task_class = Task
    error_task_class = Refusal

    # The request that was half read when the server last looked, and since when it is.
    unfinished: Any = None
    unfinished_since = 0.0
    # The request that was refused, while its client is still to read why.
    refused: Any = None

    def send_continue(self) -> None:
        """waitress asks also a request without a body to go on, and one it refuses, and then waits for the rest."""
        if not self.request.completed:
            super().send_continue()

    def handle_expt(self) -> None:
        """waitress logs urgent data and leaves it unread, so that the loop spins. HTTP has none."""
        self.handle_close()

    def handle_close(self) -> None:
        """waitress closes with a refused request's rest unread, which resets the connection, so that the client loses
        the answer. We end our side first, and read on until the client ends its own; not for longer than a request
        may take, since to the server it stays one that is half read.
        """
        if self.refused and self.connected and not self.total_outbufs_len:
            self.request, self.refused = self.refused, None
            self.received = self._discard
            self.will_close = False
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()

    def _discard(self, data: bytes) -> bool:
        return False

    @property
    def busy(self) -> bool:
        """Whether something of a request is yet to be read, done or sent."""
        half_read = self.request is not None and not self.request.completed
        return bool(half_read or self.requests or self.total_outbufs_len or self.close_when_flushed)


class Server(TcpWSGIServer):
    """The listening socket and the loop over all connections."""

    channel_class = Channel
    # Still answering, but nobody should send more.
    draining = False

    def __init__(self, app: Any, settings: Settings, listener: socket.socket, connection_limit: int) -> None:
        body_bytes = 2 * settings.max_body_bytes  # what is over the limit by less gets the app's own answer
        adjustments = Adjustments(
            sockets=[listener],
            threads=settings.threads,
            connection_limit=connection_limit,
            channel_timeout=SILENCE_SECONDS,
            cleanup_interval=TURN_SECONDS,
            channel_request_lookahead=1,  # notices who left, so that nobody works for them
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=body_bytes,
            inbuf_overflow=body_bytes + 1,  # in memory: the file system may be read-only
            outbuf_overflow=Adjustments.outbuf_high_watermark,
            log_socket_errors=False,  # clients disconnect
            ident=None,
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=True,
        )
        threads = ThreadedTaskDispatcher()
        threads.set_thread_count(settings.threads)
        super().__init__(
            app,
            map={},
            _sock=listener,
            dispatcher=threads,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self._lame_duck_seconds = settings.lame_duck_seconds
        self._drain_seconds = settings.drain_seconds
        self._stopping = False

    def stop(self, *_: object) -> None:
        """Have run() drain and return. May be called by a signal handler, and again."""
        self._stopping = True
        self.pull_trigger()

    def run(self) -> None:
        """Replaces waitress's, which at a stop drops what is queued and cuts what runs, and whose select() ends the
        process at the 1024th file.
        """
        while not self._stopping:
            poll2(TURN_SECONDS, self._map)
        self.draining = True
        self._turn(self._lame_duck_seconds)
        for _ in range(self.adj.backlog):
            self.handle_accept()  # whom the kernel has let in, it would reset
        dispatcher.close(self)  # this socket alone; the loop goes on
        deadline = time.monotonic() + self._drain_seconds
        self._turn(GRACE_SECONDS)
        self._turn(self._drain_seconds - GRACE_SECONDS, while_busy=True)
        if cut := self._busy():
            log.warning("stopped with %d requests unanswered", cut)
        self.task_dispatcher.shutdown(timeout=max(deadline - time.monotonic(), 0.1))

    def _turn(self, seconds: float, *, while_busy: bool = False) -> None:
        """Keep the loop turning."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and (not while_busy or self._busy()):
            poll2(min(left, TURN_SECONDS), self._map)

    def _busy(self) -> int:
        return sum(channel.busy for channel in self.active_channels.values())

    def maintenance(self, now: float) -> None:
        """waitress only closes who is silent; this also closes who takes too long to send a request, and counts
        silence sooner while no connection is free.
        """
        full = len(self._map) >= self.adj.connection_limit
        silent_since = now - (SILENCE_SECONDS_WHEN_FULL if full else SILENCE_SECONDS)
        for channel in self.active_channels.values():
            if channel.request is not channel.unfinished:
                channel.unfinished, channel.unfinished_since = channel.request, now
            late = channel.request is not None and channel.unfinished_since < now - REQUEST_SECONDS
            if not channel.requests and (late or channel.last_activity < silent_since):
                channel.will_close = True


class Lifeline(file_dispatcher):
    """The parent's pipe: at its end the parent stops the service, or is gone."""

    def __init__(self, server: Server, pipe: int) -> None:
        super().__init__(pipe, map=server._map)
        self._server = server

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.handle_close()

    def handle_close(self) -> None:
        self._server.stop()
        self.close()
