"""What tests change in a server before it starts: each function is called in the server's own process."""

import os
from pathlib import Path
from typing import Any

from flask import Flask, g, request, send_file
from sqlalchemy import text

from todo_api import app as factory
from todo_api.platform.db.engine import db


def _adding(add: Any) -> None:
    """Have every app that is made get these routes."""
    create_app = factory.create_app

    def create_and_add(*args: Any) -> Flask:
        app = create_app(*args)
        add(app)
        return app

    factory.create_app = create_and_add  # type: ignore[assignment]


def ordinary_routes() -> None:
    """Routes that use Flask's and Flask-SQLAlchemy's globals, as any Flask app may."""
    ended: list[int] = []

    def add(app: Flask) -> None:
        @app.get("/keep/<user>")
        def keep(user: str) -> dict[str, Any]:
            before = g.get("user")
            g.user = user
            db.session.execute(text("SELECT 1"))
            return {"before": before, "g": g.user, "session": id(db.session()), "path": request.path}

        @app.get("/ended")
        def count_ended() -> str:
            return str(len(ended))

        @app.get("/file")
        def file() -> Any:
            return send_file(Path(os.environ["FILE"]))

        @app.get("/stream")
        def stream() -> Any:
            return (f"{number}\n" for number in range(1000))

        @app.teardown_appcontext
        def note(error: BaseException | None) -> None:
            ended.append(os.getpid())

    _adding(add)
