"""Answers: JSON from bytes, and the link to a list's next page."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from werkzeug.datastructures import Headers

from todo_api.platform.web.arguments import JSON


class JSONResponse(Response):
    """JSON with complete headers: werkzeug would look for a Location to parse, and count the bytes."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        return super().get_wsgi_headers(environ) if self.status_code in {204, 304} else self.headers


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(body, status, headers, content_type=JSON)


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def link_to_next(path: str, repeated: Sequence[str], lists: Sequence[str] = (), **position: object) -> str:
    """The value of `Link` (RFC 8288), relative to the server, so that the client's `Host` does not matter.

    It repeats the query's parameters in `repeated`, the last of duplicates, and all duplicates of those in `lists`.
    """
    sent = {name: request.args.getlist(name) for name in (*repeated, *lists) if name in request.args}
    query = {name: values if name in lists else values[-1:] for name, values in sent.items()}
    return f'<{path}?{urlencode({**query, **position}, doseq=True)}>; rel="next"'
