"""Whether the service is live, and whether it is ready: its database answers, and it is not stopping."""

import json
from typing import cast

from flask import Response, current_app
from marshmallow import Schema, fields

from todo_api.platform.db.engine import database
from todo_api.platform.web.app import App
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.responses import json_response

blp = Blueprint("health", __name__, url_prefix="/health", description="For whoever runs the service; no token.")

LIVE = b'{"status": "healthy", "service": "todo-api"}'
READY = b'{"status": "healthy", "database": "connected"}'
NOT_READY = b'{"status": "unhealthy", "database": "disconnected"}'
WHY_NOT_READY = "The database does not answer, it lacks the schema of this version, or this server is stopping."


class HealthSchema(Schema):
    """The service runs."""

    status = fields.String(required=True, metadata={"enum": ["healthy"]})
    service = fields.String(required=True, metadata={"enum": ["todo-api"]})


class DatabaseHealthSchema(Schema):
    """Whether the database can be used. No more is said than this."""

    status = fields.String(required=True, metadata={"enum": ["healthy", "unhealthy"]})
    database = fields.String(required=True, metadata={"enum": ["connected", "disconnected"]})


@blp.route("", methods=["GET"])
@blp.answers(200, "It runs.", HealthSchema, example=json.loads(LIVE))
def health() -> Response:
    """Report that the service runs

    Touches nothing, so it answers while the database is down: for liveness checks.
    """
    return json_response(LIVE)


@blp.route("/db", methods=["GET"])
@blp.answers(200, "The database answers.", DatabaseHealthSchema, example=json.loads(READY))
@blp.answers(503, WHY_NOT_READY, DatabaseHealthSchema, example=json.loads(NOT_READY))
def database_health() -> Response:
    """Report whether the database answers

    Answers within three seconds: for readiness checks.
    """
    if cast(App, current_app).is_draining() or not database().is_ready():
        return json_response(NOT_READY, 503)
    return json_response(READY)
