"""An HTTP GET that ends in time whatever the server does.

urllib and http.client limit only each read, so that a server that sends a byte a second is read forever; and urllib
follows redirects to anywhere, and uses proxies from the environment.
"""

import asyncio
import ssl
from http.client import HTTPResponse
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from todo_api.platform.casts import origin, web_url

REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 3
MAX_HEADER_BYTES = 64 * 1024


class FetchError(Exception):
    """The server's answer cannot be used."""


def fetch(url: str, *, seconds: float, max_bytes: int) -> bytes:
    """The complete body of a 200 answer. Redirects are followed within the URL's origin.

    It ends within `seconds`, except that looking up the host's name cannot be cut short. Raises FetchError, OSError,
    http.client.HTTPException or ValueError.
    """
    return asyncio.run(asyncio.wait_for(_fetch(url, max_bytes), seconds))


async def _fetch(url: str, max_bytes: int) -> bytes:
    for _ in range(1 + MAX_REDIRECTS):
        response, body = await _get(urlsplit(url), max_bytes)
        if response.status == 200:
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


async def _get(url: SplitResult, max_bytes: int) -> tuple[HTTPResponse, bytes]:
    context = ssl.create_default_context() if url.scheme == "https" else None
    port = url.port or (443 if context else 80)
    reader, writer = await asyncio.open_connection(url.hostname, port, ssl=context, happy_eyeballs_delay=0.25)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = "Accept: application/json\r\nUser-Agent: todo-api\r\nConnection: close"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{headers}\r\n\r\n".encode())
        received = b""  # to the end of the connection, which is that of the answer
        while len(received) < max_bytes + MAX_HEADER_BYTES and (piece := await reader.read(max_bytes)):
            received += piece
    finally:
        writer.close()
    socket: Any = SimpleNamespace(makefile=lambda mode: BytesIO(received))  # all that a response asks of one
    response = HTTPResponse(socket)
    response.begin()
    return response, response.read(max_bytes + 1)
