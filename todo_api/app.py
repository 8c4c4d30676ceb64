"""The application factory: the list of the parts."""

from todo_api.auth import tokens
from todo_api.auth.blueprint import FORBIDDEN, UNAUTHORIZED
from todo_api.platform import logs, metrics
from todo_api.platform.db import engine
from todo_api.platform.web.app import App
from todo_api.platform.web.headers import allow_origins
from todo_api.platform.web.openapi import ERRORS, Api
from todo_api.service import docs, health, index
from todo_api.settings import Settings, read_settings
from todo_api.tasks import answers, sync_views, views
from todo_api.tasks.examples import HEADERS
from todo_api.tasks.store import watch


def create_app(settings: Settings | None = None) -> App:
    """Make the WSGI app. Reads the settings unless given, and leaves the database alone. Raises SettingsError."""
    settings = settings or read_settings()
    app = App("todo_api", static_folder=None)
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    logs.set_up(debug=settings.debug)
    engine.init_app(app, settings.database(app.instance_path))
    tokens.init_app(app, settings)
    errors = [*ERRORS, UNAUTHORIZED, FORBIDDEN, *answers.ERRORS]
    api = Api(app, docs.INFO, docs.TOKEN_DESCRIPTION, errors, HEADERS)
    for blueprint in (views.blp, sync_views.blp, health.blp, index.blp):
        api.register_blueprint(blueprint)
    docs.init_app(app, api)
    allow_origins(app, settings.cors_origins)
    if settings.metrics_token is not None:
        fetches = tokens.token_cache(app).verifier.fetches
        counts = [metrics.Count("jwks_fetches", "Fetches of the key set.", fetches)]
        levels = [metrics.Level("waiting", "Requests that wait for a change.", watch.observe_by)]
        metrics.open_to(app, settings.metrics_token, "todo", counts, levels)
    return app
