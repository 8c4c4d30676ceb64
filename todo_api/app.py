"""The application factory: the only place that knows every part."""

import logging
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from time import perf_counter
from typing import Any

from flask import Flask, Request, Response, request
from flask_cors.core import get_cors_options, set_cors_headers

from todo_api.auth import tokens as auth
from todo_api.platform import logs, metrics
from todo_api.platform.db import engine as db
from todo_api.platform.web import errors
from todo_api.platform.web.openapi import Api
from todo_api.platform.web.routing import Adapter, Patterns, patterns
from todo_api.service import docs, health, index
from todo_api.settings import Settings, read_settings
from todo_api.tasks import store
from todo_api.tasks import views as tasks

log = logging.getLogger(__name__)

# How long a browser remembers what a preflight allowed.
PREFLIGHT_SECONDS = 600
# What every answer carries, unless a page sets its own.
HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)


class App(Flask):
    """Flask without what each request would pay for and none here needs: coroutines, and hosts in routing."""

    # Told of each answer.
    observers: tuple[Callable[[logs.Answer], None], ...] = (logs.write_line,)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def create_url_adapter(self, request: Request | None) -> Adapter | None:
        if request is None:
            return None
        return Adapter(self.url_map, self._patterns, request.path, request.method)

    @cached_property
    def _patterns(self) -> Patterns:
        return patterns(self.url_map)

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Complete each answer's headers and tell of it: here at a tenth of what it costs in an after_request."""
        started = perf_counter()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            request_id = logs.request_id(environ)
            given = dict(headers)
            headers += [header for header in HEADERS if header[0] not in given]
            headers += (("Vary", "Origin"), (logs.REQUEST_ID_HEADER, request_id))
            rule = environ["werkzeug.request"].url_rule
            method = environ["REQUEST_METHOD"]
            answer = logs.Answer(
                request_id,
                method,
                rule.rule if rule else None,
                int(status[:3]),
                perf_counter() - started,
                0 if method == "HEAD" else int(given.get("Content-Length", 0)),
            )
            for tell in self.observers:
                tell(answer)
            return start_response(status, headers, exc_info)

        return super().wsgi_app(environ, start)

    def log_exception(self, exc_info: Any) -> None:
        # Without the path, as Flask has it: that names a user.
        log.error("unhandled exception", exc_info=exc_info)


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI app. Reads the settings unless given; touches no database and migrates none. Raises SettingsError."""
    settings = settings or read_settings()
    app = App("todo_api", static_folder=None)
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    logs.set_up(debug=settings.debug)
    errors.init_app(app)
    db.init_app(app, settings, store.STATEMENTS)
    auth.init_app(app, settings)
    if settings.metrics_token is not None:
        app.observers += (metrics.open_to(app, settings.metrics_token),)
    documented = Api(app)
    docs.init_app(app, documented)
    documented.register_blueprint(tasks.blp)
    documented.register_blueprint(health.blp)
    documented.register_blueprint(index.blp)
    _allow_origins(app, settings.cors_origins)
    return app


def _allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    options = get_cors_options(
        app,
        {
            # Anchored patterns: flask-cors takes an origin for one as soon as it has a bracket in it.
            "origins": [re.compile(re.escape(origin) + r"\Z") for origin in origins],
            "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            "allow_headers": ["Authorization", "Content-Type", logs.REQUEST_ID_HEADER],
            "expose_headers": ["Link", "Location", "Retry-After", "WWW-Authenticate", logs.REQUEST_ID_HEADER],
            "supports_credentials": True,
            "vary_header": False,
            "max_age": PREFLIGHT_SECONDS,
        },
    )

    @app.after_request
    def allow_origin(response: Response) -> Response:
        # Only a page's request brings an Origin, and only that has anything to check.
        if "HTTP_ORIGIN" in request.environ:
            set_cors_headers(response, options)
        return response
