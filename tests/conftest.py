"""Fixtures: each database with its schema, an app on it, and a client for each user."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, text

from tests.support import Postgres, disposed, make_app, migrated, running_postgres, sqlite_url
from todo_api import auth
from todo_api.db import db


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A database with its schema, shared by the whole session, on each kind."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path_factory.mktemp("sqlite"))
        migrated(make_app(url))
        yield url
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url:
            migrated(make_app(url))
            yield url


@pytest.fixture(scope="session")
def session_app(migrated_url: URL) -> Iterator[Flask]:
    with disposed(make_app(migrated_url)) as app:
        yield app


@pytest.fixture
def app(session_app: Flask) -> Flask:
    """The app with the settings of the tests, on an empty database."""
    with session_app.app_context(), db.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("TRUNCATE tasks RESTART IDENTITY"))
        else:
            connection.execute(text("DELETE FROM tasks"))
            connection.execute(text("DELETE FROM sqlite_sequence"))
    return session_app


@pytest.fixture
def client_of(app: Flask) -> Callable[[str], FlaskClient]:
    """A client that sends a user's token."""

    def client(user_id: str) -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {auth.verifier(app).sign(user_id, 60)}"
        return client

    return client


@pytest.fixture
def alice(client_of: Callable[[str], FlaskClient]) -> FlaskClient:
    return client_of("alice")


@pytest.fixture
def bob(client_of: Callable[[str], FlaskClient]) -> FlaskClient:
    return client_of("bob")


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def sqlite_of_session(tmp_path_factory: pytest.TempPathFactory) -> URL:
    url = sqlite_url(tmp_path_factory.mktemp("api"))
    migrated(make_app(url))
    return url


@pytest.fixture
def api(sqlite_of_session: URL) -> Iterator[Callable[..., Flask]]:
    """Makes an app with other settings, for what no database can change: all on one SQLite."""
    with ExitStack() as apps:
        yield lambda **changes: apps.enter_context(disposed(make_app(sqlite_of_session, **changes)))
