"""Flask-SQLAlchemy's part, which models, migrations and sessions use, and the app's own way to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Executable
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from todo_api.platform.db.availability import Availability
from todo_api.platform.db.database import Backend, Database, Transaction
from todo_api.platform.db.options import DatabaseOptions
from todo_api.platform.db.pool import Pool
from todo_api.platform.db.postgresql import PostgreSQL
from todo_api.platform.db.readiness import READY_SECONDS, Readiness
from todo_api.platform.db.sqlite import SQLite
from todo_api.platform.db.statements import Row


class Base(DeclarativeBase):
    pass


# Requests go through a pool of our own: the engine's asks the server about itself on its first connection and about
# an extension on each, with no time limit over it all.
db = SQLAlchemy(model_class=Base)


def database(app: Flask | None = None) -> Database:
    """The app's, or the current app's."""
    found: Database = (app or current_app).extensions[__name__]
    return found


def run(clause: Executable, **parameters: Any) -> list[Row]:
    """The rows of one statement on the current app's database. Raises Unavailable."""
    return database().run(clause, parameters)


@contextmanager
def transaction() -> Iterator[Transaction]:
    """Several statements on the current app's database that take effect together, or not at all. Raises Unavailable."""
    with database().transaction() as begun:
        yield begun


def init_app(app: Flask, options: DatabaseOptions) -> None:
    """Prepare the database, which is not asked anything yet."""
    app.config["SQLALCHEMY_DATABASE_URI"] = options.url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"hide_parameters": True, "poolclass": NullPool}
    db.init_app(app)
    with app.app_context():
        dialect = db.engine.dialect
    backend: Backend = (SQLite if options.url.drivername == "sqlite" else PostgreSQL)(dialect, options)
    availability = Availability(options.upgrade_command)
    pool = Pool(backend.connect, options.connections, lambda pooled: backend.is_usable(pooled, availability.lost))

    def ask(deadline: float) -> None:
        backend.ask(_select_from_every_table(), deadline, READY_SECONDS)

    is_ready = Readiness(ask, options.upgrade_command)
    app.extensions[__name__] = Database(dialect, backend, pool, availability, is_ready)


def _select_from_every_table() -> str:
    return "; ".join(f"SELECT 1 FROM {table} LIMIT 1" for table in Base.metadata.tables)
