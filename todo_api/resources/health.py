"""Whether the service is live, and whether its database is there."""

import json

from flask import Response
from sqlalchemy import select

from todo_api.api import Blueprint, json_response
from todo_api.db import Unavailable, run
from todo_api.models import Task
from todo_api.schemas import DatabaseHealthSchema, HealthSchema

blp = Blueprint("health", __name__, url_prefix="/health", description="For whoever runs the service; no token.")

LIVE = b'{"status": "healthy", "service": "todo-api"}'
READY = b'{"status": "healthy", "database": "connected"}'
UNREADY = b'{"status": "unhealthy", "database": "disconnected"}'

_any_task = select(Task.id).limit(1)


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
    try:
        run(_any_task)
    except Unavailable:
        return json_response(UNREADY, 503)
    return json_response(READY)
