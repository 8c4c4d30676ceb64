"""Our Api and Blueprint over flask-smorest: input in the error vocabulary, one error shape, every status documented."""

from flask import Flask, Response

from todo_api.api import pages
from todo_api.api.blueprint import Blueprint
from todo_api.api.document import TITLE, Api

__all__ = ["TITLE", "Api", "Blueprint", "init_app", "json_response", "no_content"]


def json_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, mimetype="application/json")


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def init_app(app: Flask) -> Api:
    api = Api(app)
    pages.init_app(app, api)
    return api
