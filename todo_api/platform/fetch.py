"""An HTTP GET that ends in time whatever the server does.

urllib and http.client limit only each read, so that a server that sends a byte a second is read forever; and urllib
follows redirects to anywhere, and uses proxies from the environment.
"""

import http.client
import socket
import ssl
from contextlib import closing, suppress
from threading import Timer
from time import monotonic
from urllib.parse import SplitResult, urljoin, urlsplit

from todo_api.platform.casts import origin, web_url

REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 3
HEADERS = {"Accept": "application/json", "User-Agent": "todo-api", "Connection": "close"}


class FetchError(Exception):
    """The server's answer cannot be used."""


def fetch(url: str, *, seconds: float, max_bytes: int) -> bytes:
    """The complete body of a 200 answer. Redirects are followed within the URL's origin.

    It ends within `seconds`, except that looking up the host's name cannot be cut short. Raises FetchError, OSError,
    http.client.HTTPException or ValueError.
    """
    deadline = monotonic() + seconds
    for _ in range(1 + MAX_REDIRECTS):
        response, body = _get(urlsplit(url), deadline, max_bytes)
        if response.status == 200:
            if len(body) > max_bytes:
                raise FetchError(f"the answer is longer than {max_bytes} bytes")
            if response.length or monotonic() >= deadline:
                raise FetchError("the answer is cut off")
            return body
        if response.status not in REDIRECTS:
            raise FetchError(f"the answer is {response.status}")
        target = web_url(urljoin(url, response.headers.get("Location", "")))
        if origin(target) != origin(url):
            raise FetchError("the answer redirects to another origin")
        url = target
    raise FetchError("the answer redirects in a circle")


def _get(url: SplitResult, deadline: float, max_bytes: int) -> tuple[http.client.HTTPResponse, bytes]:
    assert url.hostname
    plain = _connect(url.hostname, url.port or (443 if url.scheme == "https" else 80), deadline)
    # A second handle on the socket, to shut it down at the deadline, which ends any wait for it.
    with (
        closing(plain),
        closing(plain.dup()) as handle,
        closing(http.client.HTTPConnection(url.netloc)) as connection,
    ):
        timer = Timer(deadline - monotonic(), _shut_down, [handle])
        timer.start()
        try:
            connection.sock = plain
            if url.scheme == "https":
                connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=url.hostname)
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("GET", target, headers={"Host": url.netloc, **HEADERS})
            response = connection.getresponse()
            return response, response.read(max_bytes + 1)
        finally:
            timer.cancel()


def _shut_down(handle: socket.socket) -> None:
    with suppress(OSError):  # the answer came at the last moment
        handle.shutdown(socket.SHUT_RDWR)


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """As socket.create_connection, but with one limit for all of a name's addresses together."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for tried, (*_, address) in enumerate(addresses):
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        try:
            return socket.create_connection((str(address[0]), port), remaining / (len(addresses) - tried))
        except OSError as error:
            failure = error
    raise failure
