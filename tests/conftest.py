"""Fixtures: each database with its schema, an app on it, and a client for each user."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL

from tests.live import ROOT, running
from tests.support import (
    SECRET,
    Postgres,
    disposed,
    empty,
    free_port,
    make_app,
    migrated,
    needs,
    running_postgres,
    sqlite_url,
)
from todo_api.auth import tokens as auth


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


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database of the test's own without a schema, on each kind."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url:
            yield url


@pytest.fixture(scope="session")
def session_app(migrated_url: URL) -> Iterator[Flask]:
    with disposed(make_app(migrated_url)) as app:
        yield app


@pytest.fixture(scope="session")
def live_server(migrated_url: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server, on each kind of database."""
    url = migrated_url.render_as_string(hide_password=False)
    with running(tmp_path_factory.mktemp("live"), DATABASE_URL=url, BETTER_AUTH_SECRET=SECRET) as address:
        yield address


@pytest.fixture(scope="session")
def unavailable_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server whose database does not answer."""
    url = f"postgresql://127.0.0.1:{free_port()}/none"
    with running(tmp_path_factory.mktemp("live"), DATABASE_URL=url, BETTER_AUTH_SECRET=SECRET) as address:
        yield address


@pytest.fixture(scope="session")
def document_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document, as `flask openapi print` prints it."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "openapi", "print"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with file.open("wb") as output:
        subprocess.run(command, cwd=file.parent, env=environment, stdout=output, check=True, timeout=60)
    return file


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """Where the tools and clients for Node are, installed from the lock file: once, until that changes."""
    needs("node", "npm")
    folder = ROOT / "tests/clients"
    lock = (folder / "package-lock.json").read_bytes()
    installed = folder / "node_modules/.installed.json"
    if not installed.exists() or installed.read_bytes() != lock:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)
        installed.write_bytes(lock)
    return folder / "node_modules"


@pytest.fixture
def app(session_app: Flask) -> Flask:
    """The app with the settings of the tests, on an empty database."""
    empty(session_app)
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
