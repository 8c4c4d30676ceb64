"""A worker: waitress, made to drain, to outlast hostile clients, and to answer its own errors as the API does.

waitress reads in one thread and answers in others, so each request is handed over twice, which the interpreter lock
makes dearer than the request itself. Here all threads wait in one epoll: the one that is woken reads, answers and
sends.

All that touches waitress's internals is here, in `channels` and in `answers`, written for the exact version in
requirements.txt. Each override says what it replaces.
"""

import logging
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.wasyncore import dispatcher, file_dispatcher, poll2

from todo_api import db
from todo_api.app import create_app
from todo_api.config import Settings
from todo_api.server.channels import Channel
from todo_api.server.listener import ignore_new_clients

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
# However many wait for the database, one thread is free for what needs none, and one for `/health/db`.
SPARE_THREADS = 2
# How often the main thread looks after the connections; and while it waits for them to end.
TURN_SECONDS = 1
SHORT_TURN_SECONDS = 0.02
# For handshakes that are under way when nobody new is let in, and for requests when the listener closes.
GRACE_SECONDS = 0.2
# Once: a connection is served by one thread at a time.
READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
WRITE = select.EPOLLOUT | select.EPOLLONESHOT


def serve(
    settings: Settings, listener: socket.socket, lifeline: int, connection_limit: int, ready: Callable[[], None]
) -> None:
    """Serve on the listener until SIGTERM, or until the other end of the lifeline is closed; then drain."""
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # what it says names paths, and so users
    db.bound_waits(settings)
    app = create_app(settings)
    server = Server(app, settings, listener, connection_limit)
    app.extensions["draining"] = lambda: server.draining  # for who asks whether the service is ready
    Lifeline(server, lifeline)
    signal.signal(signal.SIGTERM, server.stop)
    ready()
    server.run()
    with app.app_context():
        db.database().pool.dispose()  # so that SQLite leaves one file


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


class Server(TcpWSGIServer):
    """The listening socket and the loop over all connections."""

    # Still answering, but nobody should send more.
    draining = False

    def __init__(self, app: Any, settings: Settings, listener: socket.socket, connection_limit: int) -> None:
        body_bytes = 2 * settings.max_body_bytes  # what is over the limit by less gets the app's own answer
        adjustments = Adjustments(
            sockets=[listener],
            threads=settings.threads + SPARE_THREADS,
            connection_limit=connection_limit,
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=body_bytes,
            inbuf_overflow=body_bytes + 1,  # in memory: the file system may be read-only
            outbuf_overflow=Adjustments.outbuf_high_watermark,
            log_socket_errors=False,  # clients disconnect
            ident=None,
            expose_tracebacks=False,
            clear_untrusted_proxy_headers=False,  # the app reads none
        )
        super().__init__(
            app,
            map={},
            _sock=listener,
            dispatcher=object(),  # or waitress starts threads of its own
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self._lame_duck_seconds = settings.lame_duck_seconds
        self._drain_seconds = settings.drain_seconds
        self._stopping = False
        self._all_stop = False
        self._next_maintenance = 0.0
        self._epoll = select.epoll()

    def stop(self, *_: object, all_workers: bool = False) -> None:
        """Have run() drain and return. May be called by a signal handler, and again."""
        self._stopping = True
        self._all_stop = self._all_stop or all_workers
        self.trigger.pull_trigger()

    def run(self) -> None:
        """Replaces waitress's, which at a stop drops what is queued and cuts what runs, and whose select() ends the
        process at the 1024th file. This thread accepts connections and looks after them; the others serve them.
        """
        for _ in range(self.adj.threads):
            threading.Thread(target=self._serve, daemon=True).start()
        while not self._stopping:
            poll2(TURN_SECONDS, self._map)
        self.draining = True
        self._turn(self._lame_duck_seconds)
        if self._all_stop:  # else others go on accepting
            ignore_new_clients(self.socket)
            self._turn(GRACE_SECONDS)
        for _ in range(self.adj.backlog):
            self.handle_accept()  # whom the kernel has let in, it would reset
        dispatcher.close(self)  # this socket alone
        self._turn(GRACE_SECONDS)
        self._turn(self._drain_seconds - GRACE_SECONDS, while_busy=True)
        for channel in list(self.active_channels.values()):
            channel.take_no_more()  # or a write of the last moment is cut off before its answer
        self._turn(GRACE_SECONDS, while_busy=True)
        if cut := self._busy():
            log.warning("stopped with %d requests unanswered", cut)

    def _turn(self, seconds: float, *, while_busy: bool = False) -> None:
        """Keep the loop turning."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and (not while_busy or self._busy()):
            poll2(min(left, SHORT_TURN_SECONDS), self._map)

    def _busy(self) -> int:
        return sum(channel.busy for channel in list(self.active_channels.values()))

    def _serve(self) -> None:
        """What each thread does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the main thread
        while True:
            for descriptor, events in self._epoll.poll(maxevents=1):
                channel = self.active_channels.get(descriptor)
                if channel is not None:
                    self._let(channel, events)

    def _let(self, channel: Channel, events: int) -> None:
        try:
            channel.take_turn(events)
        except Exception:
            log.exception("a connection failed")
            channel.refused = None
            channel.handle_close()

    def await_turn(self, channel: Channel) -> None:
        """Have one of the threads told when there is something to do for the channel."""
        self._epoll.modify(channel.socket, WRITE if channel.total_outbufs_len else READ)

    def add_task(self, channel: Channel) -> None:
        """Replaces: a request handed over to another thread. The one that reads it goes on with it."""

    def pull_trigger(self) -> None:
        """Replaces: the loop woken after each answer. No channel waits for the loop."""

    def channel_class(self, *args: Any, **kwargs: Any) -> None:
        """Replaces: a channel that the loop finds in its map."""
        channel = Channel(*args, **kwargs)
        try:
            self._epoll.register(channel.socket, READ)
        except OSError:  # of this connection alone: waitress would close the listener
            channel.handle_close()

    def readable(self) -> bool:
        """Whether to accept. Replaces: counts the connections in the loop's map, where ours are not."""
        now = time.time()
        if now >= self._next_maintenance:
            self._next_maintenance = now + TURN_SECONDS
            self.maintenance(now)
        return not self._full

    @property
    def _full(self) -> bool:
        return len(self.active_channels) >= int(self.adj.connection_limit)

    def maintenance(self, now: float) -> None:
        """waitress only closes who is silent; this also closes who takes too long to send a request, and counts
        silence sooner while no connection is free.
        """
        silent_since = now - (SILENCE_SECONDS_WHEN_FULL if self._full else SILENCE_SECONDS)
        for channel in list(self.active_channels.values()):
            if channel.request is not channel.unfinished:
                channel.unfinished, channel.unfinished_since = channel.request, now
            late = channel.request is not None and channel.unfinished_since < now - REQUEST_SECONDS
            idle = channel.total_outbufs_len or not channel.unread()  # it does not read, or has nothing to say
            silent = channel.last_activity < silent_since and idle
            if not channel.in_hand and (late or silent):
                channel.cut()


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
        self._server.stop(all_workers=True)
        self.close()
