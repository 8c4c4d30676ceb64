"""Our Api and Blueprint over flask-smorest: input in the error vocabulary, one error shape, every status documented."""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response

from todo_api.api import pages
from todo_api.api.answers import JSON
from todo_api.api.blueprint import Blueprint
from todo_api.api.document import TITLE, Api

__all__ = ["TITLE", "Api", "Blueprint", "init_app", "json_response", "no_content"]


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


def init_app(app: Flask) -> Api:
    api = Api(app)
    pages.init_app(app, api)
    return api
