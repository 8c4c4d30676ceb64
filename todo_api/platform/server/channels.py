"""One client's connection. Each override says what it replaces."""

import contextlib
import select
import socket
from array import array
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

from waitress.channel import HTTPChannel

from todo_api.platform.loop import give_way
from todo_api.platform.server.answers import Parser, Refusal, Task

GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
READ = select.EPOLLIN | select.EPOLLRDHUP
WRITE = select.EPOLLOUT


class Channel(HTTPChannel):
    """A connection that is read, answered and sent to in one go, by one fiber at a time."""

    parser_class = Parser
    task_class = Task
    error_task_class = Refusal

    # Whether it has its turn just now.
    in_hand = False
    # The request that was half read when the server last looked, and since when it is.
    unfinished: Any = None
    unfinished_since = 0.0
    # The request that was refused, while its client is still to read why.
    refused: Any = None

    def add_channel(self, map: Any = None) -> None:
        """Replaces: entered in the map of which waitress's loop asks every channel at every turn."""
        self.descriptor = self.socket.fileno()
        self.server.active_channels[self.descriptor] = self

    def await_turn(self) -> None:
        # Told once, and not again before its turn has ended: the requests of a connection are done one by one.
        self.server.loop.watch(self.descriptor, self._awaited | select.EPOLLONESHOT, self._told)

    @property
    def _awaited(self) -> int:
        return WRITE if self.total_outbufs_len else READ

    def _told(self, events: int) -> None:
        self.server.serve(self, events)

    def events(self) -> int:
        """What it could be told of now."""
        poller = select.poll()
        poller.register(self.descriptor, self._awaited)
        return sum(events for _, events in poller.poll(0))

    def del_channel(self, map: Any = None) -> None:
        """Replaces: taken out of that map as well."""
        if self.server.active_channels.get(self.descriptor) is self:
            del self.server.active_channels[self.descriptor]
            self.server.loop.forget(self.descriptor)

    def take_turn(self, events: int) -> None:
        """Read, answer and send what there is."""
        self.in_hand = True
        if events & GONE:
            # Nobody works for a client who left. The price: one that half-closes its side gets no answer.
            self.refused = None
            self.handle_close()
        elif events & select.EPOLLIN:
            self.handle_read()
        elif self.connected:
            self.handle_write()
        # Not before the answer ahead of it is taken: nobody is worked for who does not read.
        while self.connected and self.requests and not self.total_outbufs_len:
            self.service()
            if self.writable():
                self.handle_write()
            if self.requests:
                give_way()  # who sends many at once keeps nobody else waiting
        self.in_hand = False
        if self.connected:
            self.await_turn()

    def write_soon(self, data: Any) -> int:
        """Replaces: every answer copied into a buffer first; only what the socket does not take at once goes there."""
        if self.connected and not self.total_outbufs_len and isinstance(data, bytes):
            with contextlib.suppress(OSError):  # told of again, and dealt with, where the rest is sent
                data = data[self.socket.send(data) :]
        written: int = super().write_soon(data)
        return written

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Replaces: a wait, for ever, until the loop has sent what lies here. This is the loop's own thread."""

    def send_continue(self) -> None:
        """waitress asks also a request without a body to go on, and one it refuses, and then waits for the rest."""
        if not self.request.completed:
            super().send_continue()

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

    def cut(self) -> None:
        """End the connection: it is closed in its turn, when it is told of that."""
        with contextlib.suppress(OSError, AttributeError):  # closed meanwhile
            self.socket.shutdown(socket.SHUT_RDWR)

    def take_no_more(self) -> None:
        """What has not been read yet is not served; an answer on its way still goes out."""
        with contextlib.suppress(OSError, AttributeError):  # closed meanwhile
            self.socket.shutdown(socket.SHUT_RD)

    @property
    def busy(self) -> bool:
        """Whether something of a request is yet to be read, done or sent."""
        # In the order in which a request moves on, or it could pass unseen from one place to the next.
        if self.unread() or self.in_hand:
            return True
        half_read = self.request is not None and not self.request.completed
        return bool(half_read or self.requests or self.total_outbufs_len)

    def unread(self) -> int:
        """The bytes that wait in the socket."""
        size = array("i", [0])
        with contextlib.suppress(OSError, ValueError, TypeError):  # closed meanwhile
            ioctl(self.socket, FIONREAD, size)
        return size[0]
