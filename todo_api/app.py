"""The application factory: the only place that knows every part."""

import re

from flask import Flask, Response
from flask_cors import CORS

from todo_api import api, auth, cli, db, errors
from todo_api.config import Settings, read_settings
from todo_api.resources import health, tasks


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI app. Reads the settings unless given; touches no database and migrates none. Raises SettingsError."""
    settings = settings or read_settings()
    app = Flask("todo_api", static_folder=None)
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    errors.init_app(app)
    db.init_app(app, settings)
    auth.init_app(app, settings)
    cli.init_app(app)
    documented = api.init_app(app)
    documented.register_blueprint(tasks.blp)
    documented.register_blueprint(health.blp)
    _allow_origins(app, settings.cors_origins)
    return app


def _allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    CORS(
        app,
        # Anchored, since flask-cors takes anything with a special character for a pattern.
        origins=[re.compile(re.escape(origin) + r"\Z") for origin in origins],
        methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=["Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"],
        supports_credentials=True,
        always_send=False,
        vary_header=False,
        max_age=600,
    )

    @app.after_request
    def vary(response: Response) -> Response:
        response.headers.add("Vary", "Origin")
        return response
