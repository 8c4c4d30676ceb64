"""Where to begin: what this service is, and where its documents are."""

import orjson
from flask import Response

from todo_api import __version__
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.openapi import TITLE
from todo_api.platform.web.responses import json_response
from todo_api.tasks.schemas import IndexSchema

blp = Blueprint("index", __name__, description="Where to begin; no token.")

INDEX = {
    "name": TITLE,
    "version": __version__,
    "links": {"docs": "/docs", "openapi": "/openapi.json", "health": "/health"},
}


@blp.route("/", methods=["GET"])
@blp.response(200, IndexSchema, description="The index.", example=INDEX)
def index() -> Response:
    """Tell what this service is

    And where its documents and its health are.
    """
    return json_response(orjson.dumps(INDEX))
