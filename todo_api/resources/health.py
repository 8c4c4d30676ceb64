"""Whether the service is live, and whether its database is there."""

from flask import Response
from sqlalchemy import select

from todo_api.api import Blueprint, json_response
from todo_api.db import Unavailable, run
from todo_api.models import Task

blp = Blueprint("health", __name__, url_prefix="/health", description="For whoever runs the service")

_any_task = select(Task.id).limit(1)


@blp.route("", methods=["GET"])
@blp.response(200)
def health() -> Response:
    """Tell that the service runs"""
    return json_response(b'{"status": "healthy", "service": "todo-api"}')


@blp.route("/db", methods=["GET"])
@blp.response(200)
def database_health() -> Response:
    """Tell whether the database answers"""
    try:
        run(_any_task)
    except Unavailable:
        return json_response(b'{"status": "unhealthy", "database": "disconnected"}', 503)
    return json_response(b'{"status": "healthy", "database": "connected"}')
