"""The index: the service's name and version, and links to its documentation and health."""

import orjson
from flask import Response
from marshmallow import Schema, fields

from todo_api import __version__
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.responses import json_response
from todo_api.service.docs import TITLE

blp = Blueprint("index", __name__, description="Where to begin; no token.")

LINKS = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health"}
INDEX = {"name": TITLE, "version": __version__, "links": LINKS}


class IndexSchema(Schema):
    """The service, and where to go on."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    _text = {"description": "Where to go on, as relative references."}
    _reference = {"format": "uri-reference"}
    links = fields.Dict(fields.String(), fields.String(metadata=_reference), required=True, metadata=_text)


@blp.route("/", methods=["GET"])
@blp.answers(200, "The index.", IndexSchema, example=INDEX)
def index() -> Response:
    """Describe this service

    Its name and version, and where its documents and its health are.
    """
    return json_response(orjson.dumps(INDEX))
