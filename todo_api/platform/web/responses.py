"""Answers in JSON, and with no body."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers

from todo_api.platform.web.arguments import JSON


class JSONResponse(Response):
    """JSON whose headers are right as they are: werkzeug would look for a Location to parse, and count the bytes."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        return super().get_wsgi_headers(environ) if self.status_code in {204, 304} else self.headers


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(body, status, headers, content_type=JSON)


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
