"""Apps in this process, with the settings of the tests, and their database's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask_migrate
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, make_url, text

from tests.support.tokens import SECRET, token
from todo_api.app import create_app
from todo_api.platform.db.engine import db
from todo_api.service import commands
from todo_api.settings import Settings
from todo_api.tasks import commands as sync_commands


def settings(database_url: URL | str, **changes: Any) -> Settings:
    return Settings(**{"database_url": make_url(database_url), "better_auth_secret": SECRET, **changes})


def make_app(database_url: URL | str, **changes: Any) -> Flask:
    return create_app(settings(database_url, **changes))


def migrated(app: Flask) -> Flask:
    """The app, after the migrations have made its database's schema."""
    commands.init_app(app)
    sync_commands.init_app(app)
    with app.app_context():
        flask_migrate.upgrade()
    return app


def migrate(url: URL) -> URL:
    """The database, after the migrations have made its schema."""
    with disposed(make_app(url)) as app:
        migrated(app)
    return url


@contextmanager
def disposed(app: Flask) -> Iterator[Flask]:
    """The app, whose connections are closed afterwards."""
    yield app
    with app.app_context():
        db.engine.dispose()


def empty(app: Flask) -> None:
    """Delete all that is stored; the next id is 1 again."""
    with app.app_context(), db.engine.begin() as connection:
        # Tasks before tombstones, which a deleted task leaves. To truncate the tables would make new files each time.
        for table in reversed(db.metadata.sorted_tables):
            connection.execute(table.delete())
        on_sqlite = connection.dialect.name == "sqlite"
        ids = "DELETE FROM sqlite_sequence" if on_sqlite else "SELECT setval('tasks_id_seq', 1, false)"
        connection.execute(text(ids))


def client_for(app: Flask, user_id: str) -> FlaskClient:
    """A client that sends the user's token."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token(user_id)}"
    return client
