"""A worker: one thread, in which each connection has a greenlet of gevent's, and requests take turns while they wait.

With threads, handing the interpreter lock from one CPU to another costs more than most requests do.
"""

import contextlib
import logging
import resource
import select
import signal
import socket
import struct
import time
from array import array
from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.socket import socket as gevent_socket
from gevent.socket import wait_read
from waitress.adjustments import Adjustments

from todo_api.platform.db.engine import database
from todo_api.platform.options import ServerOptions
from todo_api.platform.server.connection import Connection
from todo_api.platform.waiting import READ, poll
from todo_api.platform.web.app import App

log = logging.getLogger(__name__)

BACKLOG = 1024
SO_ATTACH_FILTER = 26
MAX_CONNECTIONS = 2000
# Files besides those of clients and of the database, of which SQLite has two a connection.
OTHER_FILES = 64
HEADER_BYTES = 32 * 1024
# A client may be silent this long, unless its request is being answered; less while no connection is free.
SILENCE_SECONDS = 30
SILENCE_SECONDS_WHEN_FULL = 1
# However many requests wait for the database, there is a place for one that needs none, and one for `/health/db`.
SPARE_PLACES = 2
# How often the connections are checked, and how often while the server waits for them to end.
ROUND_SECONDS = 1
SHORT_ROUND_SECONDS = 0.02
# The shortest sleep there is, so that another worker wakes: else one would accept all clients that come at once.
YIELD_SECONDS = 1e-9
# How long a stop waits for what is on its way: handshakes, first bytes, last answers.
GRACE_SECONDS = 0.2


def run(
    app: App, options: ServerOptions, listener: socket.socket, lifeline: int, limit: int, *, ready: Callable[[], None]
) -> None:
    """Serve on the listener until SIGTERM, or until the other end of the lifeline is closed; then drain."""
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # its messages name paths, and so users
    database(app).enter_worker()
    server = Server(app, options, listener, limit)
    app.is_draining = lambda: server.draining
    gevent.signal_handler(signal.SIGTERM, server.stopped.set)
    gevent.spawn(wait_read, lifeline).link(lambda ended: server.stopped.set())
    ready()
    server.run(lifeline)
    database(app).pool.close()  # so that SQLite leaves one file


def connection_limit(database_connections: int) -> int:
    """The clients that a worker may hold. Raises this process's limit of open files as far as allowed."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    limit = max(files - 2 * database_connections - OTHER_FILES, 1)
    if files == resource.RLIM_INFINITY or limit >= MAX_CONNECTIONS:
        return MAX_CONNECTIONS
    log.warning("at most %d connections a worker, since it may open only %d files", limit, files)
    return limit


class Server:
    """The listening socket and the connections. waitress's tasks take it for their server."""

    def __init__(self, app: App, options: ServerOptions, listener: socket.socket, connection_limit: int) -> None:
        body_bytes = 2 * options.max_body_bytes  # the app itself answers a body that is over its limit by less
        self.adj = Adjustments(
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=body_bytes,
            inbuf_overflow=body_bytes + 1,  # in memory: the file system may be read-only
            log_socket_errors=False,  # clients disconnect
            ident=None,
            expose_tracebacks=False,
        )
        self.application = app
        self.server_name = self.adj.server_name
        self.effective_port = options.port
        # Still answering, but each answer closes its connection.
        self.draining = False
        # Requests that may be in flight at once; those of other connections wait.
        self.places = Semaphore(options.connections + SPARE_PLACES)
        self._options = options
        self.connections: set[Connection] = set()
        self.parked: dict[Connection, Event] = {}  # whose request waits for a change: the event ends the wait
        self._connection_limit = connection_limit
        self.stopped = Event()  # set from outside: makes `run` drain and return
        hub = gevent.get_hub()
        hub.threadpool.maxsize = options.connections + SPARE_PLACES
        listener.setblocking(False)
        self._listener = listener
        self._clients = hub.loop.io(listener.fileno(), READ)

    def run(self, lifeline: int) -> None:
        """Serve until `stopped` is set, then drain: answer every request that was accepted."""
        self._clients.start(self._accept)
        while not self.stopped.wait(ROUND_SECONDS):
            self._maintain()
        self.draining = True
        for wake in self.parked.values():
            wake.set()
        self._go_on(self._options.lame_duck_seconds)
        if poll(lifeline, select.POLLIN):  # all workers stop: else others go on accepting
            self._ignore_new_clients()
            self._go_on(GRACE_SECONDS)
        self._clients.stop()
        for _ in range(BACKLOG):
            self._accept()  # if all workers stop, the kernel would reset those that it has let in
        self._listener.close()
        self._go_on(GRACE_SECONDS)
        self._go_on(self._options.drain_seconds - GRACE_SECONDS, while_busy=True)
        for connection in self.connections:
            connection.shut_down(socket.SHUT_RD)  # else a write of the last moment is cut off before its answer
        self._go_on(GRACE_SECONDS, while_busy=True)
        if unanswered := self._busy():
            log.warning("stopped with %d requests unanswered", unanswered)

    @property
    def is_crowded(self) -> bool:
        """Whether requests may be waiting for a place, or for a database connection."""
        return self.places.counter <= SPARE_PLACES

    def has_room_to_park(self) -> bool:
        """At most half of the connections may wait for a change."""
        return not self.draining and len(self.parked) < self._connection_limit // 2

    def _go_on(self, seconds: float, *, while_busy: bool = False) -> None:
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0 and (not while_busy or self._busy()):
            gevent.sleep(min(remaining, SHORT_ROUND_SECONDS))
            self._maintain()

    def _busy(self) -> int:
        return sum(connection.busy for connection in self.connections)

    def _accept(self) -> None:
        """Accept one client, and leave the next to another worker."""
        try:
            client, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another worker was faster, or the client has left
            return
        except OSError:  # no file descriptor is free for it
            self._clients.stop()
            return
        connection = Connection(self, gevent_socket(client.family, client.type, fileno=client.detach()), address)
        self.connections.add(connection)
        gevent.spawn(connection.run)
        if self._is_full():  # the others wait in the kernel until one has left
            self._clients.stop()
        time.sleep(YIELD_SECONDS)

    def _ignore_new_clients(self) -> None:
        """Have the kernel drop requests for new connections, for all processes that share the listener.

        It would reset those that come between the last accept() and the close(): 9 of 158,000 requests in 30 stops. An
        ignored client tries again after a second or so, and is refused. This is a filter as in socket(7): it drops
        packets with the SYN bit.
        """
        flags, syn = 13, 0x02  # in a TCP header: the offset of the flags, and the bit of SYN
        load, jump_if_set, give_back = 0x30, 0x45, 0x06
        steps = [(load, 0, 0, flags), (jump_if_set, 0, 1, syn), (give_back, 0, 0, 0), (give_back, 0, 0, 0xFFFF)]
        program = array("B", b"".join(struct.pack("HBBI", *step) for step in steps))
        pointer = struct.pack("HP", len(steps), program.buffer_info()[0])
        with contextlib.suppress(OSError):
            self._listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)

    def _is_full(self) -> bool:
        return len(self.connections) >= self._connection_limit

    def _maintain(self) -> None:
        """Cut off clients that are silent, or take too long to send a request; accept again where there is room."""
        gevent.sleep(0.001)  # after a pause of the whole process, what clients have sent meanwhile is read first
        now, silence = time.monotonic(), SILENCE_SECONDS_WHEN_FULL if self._is_full() else SILENCE_SECONDS
        for connection in self.connections:
            if connection.is_overdue(now, silence):
                connection.shut_down()
        for connection, wake in self.parked.items():
            if connection.has_left():
                wake.set()
        if self._listener.fileno() >= 0 and not self._is_full():  # not closed
            self._clients.start(self._accept)  # changes nothing where it accepts already
