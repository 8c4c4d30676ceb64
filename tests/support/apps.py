"""Apps in this process, with the settings of the tests, and their database's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask_migrate
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, TableClause, delete, func, make_url, select

from tests.support.tokens import SECRET, token
from todo_api.app import create_app
from todo_api.platform.db.engine import database, db
from todo_api.service import commands
from todo_api.settings import Settings
from todo_api.tasks import commands as sync_commands


def settings(database_url: URL | str, **changes: Any) -> Settings:
    return Settings(**{"database_url": make_url(database_url), "better_auth_secret": SECRET, **changes})


def make_app(database_url: URL | str, **changes: Any) -> Flask:
    return create_app(settings(database_url, **changes))


def migrated(app: Flask, revision: str = "head") -> Flask:
    """The app, after the migrations have made its database's schema, or that of an older version."""
    commands.init_app(app)
    sync_commands.init_app(app)
    with app.app_context():
        flask_migrate.upgrade(revision=revision)
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
    # Row by row: TRUNCATE makes new files for all tables and indexes.
    with database(app).transaction() as run:
        for table in reversed(db.metadata.sorted_tables):  # tasks before tombstones, which the former leave
            run(delete(table))
        on_sqlite = app.config["SQLALCHEMY_DATABASE_URI"].drivername == "sqlite"
        run(delete(TableClause("sqlite_sequence")) if on_sqlite else select(func.setval("tasks_id_seq", 1, False)))


def client_for(app: Flask, user_id: str) -> FlaskClient:
    """A client that sends the user's token."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token(user_id)}"
    return client
