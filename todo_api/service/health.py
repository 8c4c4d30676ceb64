"""Whether the service is live, and whether it is ready: its database is there, and it is not about to stop."""

import json

from flask import Response, current_app

from todo_api.platform.db.engine import database
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.responses import json_response
from todo_api.tasks.schemas import DatabaseHealthSchema, HealthSchema

blp = Blueprint("health", __name__, url_prefix="/health", description="For whoever runs the service; no token.")

LIVE = b'{"status": "healthy", "service": "todo-api"}'
READY = b'{"status": "healthy", "database": "connected"}'
UNREADY = b'{"status": "unhealthy", "database": "disconnected"}'


@blp.route("", methods=["GET"])
@blp.response(200, HealthSchema, description="It runs.", example=json.loads(LIVE))
def health() -> Response:
    """Tell that the service runs

    Touches nothing, so it answers while the database is down: for liveness checks.
    """
    return json_response(LIVE)


@blp.route("/db", methods=["GET"])
@blp.response(200, DatabaseHealthSchema, description="The database answers.", example=json.loads(READY))
@blp.response(
    503,
    DatabaseHealthSchema,
    description="The database does not answer, it has no schema yet, or this server is stopping.",
    example=json.loads(UNREADY),
)
def database_health() -> Response:
    """Tell whether the database answers

    Answers within three seconds: for readiness checks.
    """
    draining = current_app.extensions.get("draining")
    if (draining and draining()) or not database().is_ready():
        return json_response(UNREADY, 503)
    return json_response(READY)
