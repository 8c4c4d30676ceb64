"""HTTP as waitress reads and writes it. Each override says what it replaces in the version of requirements.txt."""

import re
from functools import lru_cache
from time import time
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import WSGITask
from werkzeug.http import http_date

from todo_api.platform.parking import PARK
from todo_api.platform.web import errors

cached_http_date = lru_cache(1)(http_date)
# waitress's patterns take minutes for a long address in a line of another form, and seconds for very many spaces.
_REQUEST_LINE = re.compile(rb"[^ \r\n]+ [^ \r\n]+( HTTP/[0-9]\.[0-9])?[ \t]*\r\n")
_LONG_SPACE = re.compile(rb":[ \t\r\n]{100}")


class Parser(HTTPRequestParser):
    """Reads one request."""

    def parse_header(self, header_plus: bytes) -> None:
        """Replaces a 500 for half an IPv6 address in the target, or a length of 5,000 digits.

        Refuses chunks beside a length or in HTTP/1.0: a proxy may see the request end elsewhere (RFC 9112, 6.1).
        """
        if not _REQUEST_LINE.match(header_plus) or _LONG_SPACE.search(header_plus):
            raise ParsingError("malformed")
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("malformed") from error
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("ambiguous length")


class AppTask(WSGITask):
    """Has the app answer one request. `channel` is the Connection."""

    wrote_header: bool

    def write(self, data: bytes) -> None:
        """Replaces a packet each for head and body."""
        if self.wrote_header or not data or len(data) != self.content_length or not self.has_body:
            super().write(data)
        else:
            head = self.build_response_header()  # fails where a header is not Latin-1
            self.wrote_header = True
            self.content_bytes_written = len(data)
            self.channel.write_soon(head + data)

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[PARK] = self.channel.park
        # Its file wrapper needs waitress's own channel; without it werkzeug iterates over the file.
        del environ["wsgi.file_wrapper"]
        if self.request.path.startswith("//"):
            # waitress and werkzeug both take it for the path with one slash, but it is an unknown path.
            environ["PATH_INFO"] = f"/.{self.request.path}"
        return environ

    def build_response_header(self) -> bytes:
        """Replaces waitress's, which closes the connection after a 204 or a chunked body, spells and sorts the app's
        headers anew, and adds `Via`; this one closes it after every answer while draining.
        """
        lines = [f"HTTP/{self.version} {self.status}", *(f"{name}: {value}" for name, value in self.response_headers)]
        asked = self.request.headers.get("CONNECTION", "").lower()
        ends = "close" in asked or (self.version == "1.0" and asked != "keep-alive")
        if ends or self.channel.server.draining:
            self.close_on_finish = True
        given = {name for name, _ in self.response_headers}  # a view may also spell a name in lower case
        if self.has_body and given.isdisjoint(("Content-Length", "content-length")):
            if self.content_length is not None:
                lines.append(f"Content-Length: {self.content_length}")
            elif self.version == "1.1":
                lines.append("Transfer-Encoding: chunked")
                self.chunked_response = self.request.command != "HEAD"
            else:
                self.close_on_finish = True
        if self.close_on_finish:
            lines.append("Connection: close")
        elif self.version == "1.0":
            lines.append("Connection: keep-alive")
        if given.isdisjoint(("Date", "date")):
            lines.append(f"Date: {cached_http_date(int(time()))}")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


class RefusalTask(AppTask):
    """Replaces ErrorTask's plain text: the app answers, as for an unknown path, but with the error's status."""

    def __init__(self, channel: Any, refused: HTTPRequestParser, error: Any = None) -> None:
        """`error` is waitress's; without one the fault is ours."""
        # Replaces a request that may have been parsed in part, or not at all.
        request = HTTPRequestParser(channel.adj)
        request.parse_header(b"GET /. HTTP/1.1\r\n")
        request.command = "HEAD" if getattr(refused, "command", "") == "HEAD" else "GET"
        for name in {"ORIGIN", "X_REQUEST_ID"} & refused.headers.keys():
            request.headers[name] = refused.headers[name]
        super().__init__(channel, request)
        self.close_on_finish = True
        status = error.code if error else 500
        self._error = errors.api_error(400 if status == 501 else status)  # 501: a transfer coding that nobody needs

    def get_environment(self) -> dict[str, Any]:
        return {**super().get_environment(), errors.REFUSED: self._error}

    def answer_alone(self) -> None:
        """Answer without the app, which failed again."""
        self.complete = True
        self.status = "500 Internal Server Error"
        self.response_headers = [("Content-Type", "application/json")]
        body = errors.error_body(500)
        self.content_length = len(body)
        self.write(body)
