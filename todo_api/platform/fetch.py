"""An HTTP GET that ends in time whatever the server does.

urllib and http.client limit each read alone, so that a server which sends a byte a second is read for ever, and urllib
follows redirects anywhere and proxies that the environment names.
"""

import http.client
import io
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from todo_api.platform.casts import origin, web_url

REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 3


class FetchError(Exception):
    """The server's answer is none that is taken."""


def fetch(url: str, *, seconds: float, max_bytes: int) -> bytes:
    """The body of the answer 200, complete. Redirects are followed within the URL's origin.

    All of it ends within `seconds` but the resolution of the host's name, which cannot be cut short.
    Raises FetchError, OSError, http.client.HTTPException or ValueError.
    """
    deadline = time.monotonic() + seconds
    for _ in range(1 + MAX_REDIRECTS):
        response = _get(urlsplit(url), deadline)
        with response:
            if response.status == 200:
                body = response.read(max_bytes + 1)
                if len(body) > max_bytes:
                    raise FetchError(f"the answer is longer than {max_bytes} bytes")
                if response.length:
                    raise FetchError("the answer is cut off")
                return body
        if response.status not in REDIRECTS:
            raise FetchError(f"the answer is {response.status}")
        target = web_url(urljoin(url, response.headers.get("Location", "")))
        if origin(target) != origin(url):
            raise FetchError("the answer redirects to another origin")
        url = target
    raise FetchError("the answer redirects in a circle")


def _get(url: SplitResult, deadline: float) -> http.client.HTTPResponse:
    assert url.hostname
    connection = _connect(url.hostname, url.port or (443 if url.scheme == "https" else 80), deadline)
    try:
        if url.scheme == "https":
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=url.hostname)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: application/json\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: todo-api\r\nConnection: close\r\n\r\n".encode()
        )
        response = http.client.HTTPResponse(_Timed(connection, deadline), method="GET")  # type: ignore[arg-type]
        response.begin()
        return response
    except BaseException:
        connection.close()
        raise


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """As socket.create_connection, but with one limit for all of a name's addresses together."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for tried, (*_, address) in enumerate(addresses):
        try:
            share = _left(deadline) / (len(addresses) - tried)
            connection = socket.create_connection((str(address[0]), port), share)
        except OSError as error:
            failure = error
        else:
            connection.settimeout(_left(deadline))
            return connection
    raise failure or OSError("the host has no address")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Timed(io.RawIOBase):
    """A connection's bytes until the deadline, however slowly they come; closing it closes the connection."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)

    def close(self) -> None:
        self._connection.close()
        super().close()
