"""Answers in JSON, and with no body."""

from collections.abc import Iterable
from typing import Any

from flask import Response

from todo_api.platform.web.answers import JSON


class JSONResponse(Response):
    """JSON whose headers are right as they are: werkzeug would parse the Location, and count the bytes again."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(self.status, self.headers.to_wsgi_list())
        return () if environ["REQUEST_METHOD"] == "HEAD" else (self.data,)


def json_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, status, headers, content_type=JSON)


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
