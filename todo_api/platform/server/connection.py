"""One client's connection, in a greenlet of its own: read a request, answer it, send the answer, and so on."""

import logging
import select
from contextlib import suppress
from enum import Enum, auto
from socket import SHUT_RDWR, SHUT_WR
from time import monotonic
from typing import Any

from gevent.event import Event
from gevent.socket import socket

from todo_api.platform.server.protocol import AppTask, Parser, RefusalTask
from todo_api.platform.waiting import poll, yield_to_others

log = logging.getLogger(__name__)

RECEIVE_BYTES = 16 * 1024
# A request has to arrive within this time.
REQUEST_SECONDS = 10
# How long a stop waits for a client to read its last answer and close.
LINGER_SECONDS = 1


class Phase(Enum):
    """What a connection is doing."""

    IDLE = auto()  # nothing of the next request has come yet
    READING = auto()
    ANSWERING = auto()  # also while the request waits for a change, see `Server.parked`
    SENDING = auto()
    LINGERING = auto()  # the client has yet to read the last answer


class ClientLeft(BaseException):
    """Ends a request that was parked."""


class Connection:
    """A client's connection. waitress's tasks take it for their channel: `adj`, `addr`, `server`, `write_soon`."""

    check_client_disconnected = None

    def __init__(self, server: Any, client: socket, address: Any) -> None:
        """`server` is the worker's Server."""
        self.server = server
        self.adj = server.adj
        self.addr = address
        self._socket = client
        self._unparsed = b""  # received after the request that is being answered
        self._unsent = b""
        self._enter(Phase.IDLE)

    def run(self) -> None:
        """Serve the client until either side closes."""
        try:
            while self._serve_request():
                if self._unparsed or self.server.is_crowded:
                    yield_to_others()  # else the client's next request would come before those that wait already
        except (OSError, ClientLeft):
            pass  # the client left, or was cut off
        except BaseException:  # SystemExit, too: it must not end the worker
            log.exception("a connection failed")
        finally:
            self._socket.close()
            self.server.connections.discard(self)

    def _serve_request(self) -> bool:
        """Serve one request. Returns whether the connection goes on."""
        request = self._read_request()
        if request is None:
            return False
        self._enter(Phase.ANSWERING)
        waited = not self.server.places.acquire(blocking=False) and self.server.places.acquire()
        try:
            if waited and self.has_left():
                return False  # the client gave up meanwhile
            task = self._answer(request)
        finally:
            # Before the rest is sent: clients that do not read would else hold all places.
            self.server.places.release()
        self._flush()
        if task.close_on_finish:
            self._linger()
            return False
        self._enter(Phase.IDLE)
        return True

    def _read_request(self) -> Parser | None:
        """The next request, complete or refused; None if the client has ended its side, or sends only white space."""
        request, asked = Parser(self.adj), False
        while data := self._unparsed or self._socket.recv(RECEIVE_BYTES):
            may_be_more = len(data) == RECEIVE_BYTES
            if self.phase is Phase.IDLE and (data := data.lstrip(b"\r\n")):  # without empty lines between requests
                self._enter(Phase.READING)
            if may_be_more:
                yield_to_others()  # else a client that never pauses would have every turn
            self.active = monotonic()
            self._unparsed = data[request.received(data) :]
            if request.completed:
                return None if request.empty else request
            if request.expect_continue and request.headers_finished and not asked:
                self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                asked = True
        return None

    def _answer(self, request: Parser) -> AppTask:
        task = RefusalTask(self, request, request.error) if request.error else AppTask(self, request)
        try:
            task.service()
        except Exception:
            log.exception("unhandled exception outside the app")
            if not task.wrote_header:
                task = RefusalTask(self, request)
                try:
                    task.service()
                except Exception:
                    task.answer_alone()
            task.close_on_finish = True
        return task

    def park(self, wake: Event, seconds: float) -> bool:
        """Wait for an event, without a place. Returns False if there is no room, or the server stops."""
        if not self.server.has_room_to_park():
            return False
        self.server.places.release()
        self.server.parked[self] = wake
        wake.wait(seconds)
        del self.server.parked[self]
        self.server.places.acquire()
        if self.has_left():
            raise ClientLeft
        return not self.server.draining

    def write_soon(self, data: bytes) -> int:
        """For waitress's task. Keeps one piece, which most answers are in whole, until the place is given back."""
        if self._unsent:
            self.server.places.release()  # while the client does not read
            try:
                self._flush()
            finally:
                self.server.places.acquire()
            self._enter(Phase.ANSWERING)
        self._unsent = data
        return len(data)

    def _flush(self) -> None:
        self._enter(Phase.SENDING)
        remaining, self._unsent = memoryview(self._unsent), b""
        while remaining:
            remaining = remaining[self._socket.send(remaining) :]
            self.active = monotonic()

    def _linger(self) -> None:
        """End our side, and read on until the client ends its own.

        Closing while the client still sends would reset the connection, and cut off the answer (RFC 9112, 9.6).
        """
        self._enter(Phase.LINGERING)
        self._socket.shutdown(SHUT_WR)
        while self._socket.recv(RECEIVE_BYTES):
            self.active = monotonic()
            yield_to_others()

    def has_left(self) -> bool:
        """Whether the client has closed the connection, or its sending side: TCP shows no difference."""
        return poll(self._socket.fileno(), select.POLLRDHUP)

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.active = monotonic()

    # The rest is called by the server, in its own greenlet.

    def is_overdue(self, now: float, silence_seconds: float) -> bool:
        """Whether the client takes too long to send a request, or is silent, or does not read its answer."""
        if self.phase is Phase.ANSWERING:
            return False
        if self.phase in {Phase.READING, Phase.LINGERING} and self.since < now - REQUEST_SECONDS:
            return True
        return self.active < now - silence_seconds and (self.phase is Phase.SENDING or not self._has_unread())

    @property
    def busy(self) -> bool:
        """Whether something of a request is still to be read, answered or sent."""
        if self.phase is Phase.LINGERING:
            return self.since > monotonic() - LINGER_SECONDS
        return self.phase is not Phase.IDLE or bool(self._unparsed) or self._has_unread()

    def _has_unread(self) -> bool:
        return poll(self._socket.fileno(), select.POLLIN)

    def shut_down(self, how: int = SHUT_RDWR) -> None:
        """End the connection, or with SHUT_RD its reading: its greenlet reads what is there, and then the end."""
        with suppress(OSError):  # the client has ended it
            # Not gevent's own, which would throw an error into a waiting recv() although there is something to read.
            self._socket._sock.shutdown(how)  # type: ignore[attr-defined]
