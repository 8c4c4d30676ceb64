"""A database for a soak, with its schema unless it is to be empty."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.support.apps import migrate
from tests.support.databases import running_postgres, sqlite_url


@contextmanager
def database(kind: str, folder: Path, *, empty: bool = False) -> Iterator[URL]:
    if kind == "sqlite":
        yield sqlite_url(folder)  # the server migrates it
        return
    with running_postgres() as server, server.database() as url:
        yield url if empty else migrate(url)
