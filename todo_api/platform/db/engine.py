"""Flask-SQLAlchemy's part, which models, migrations and sessions use, and the app's own way to the database."""

from contextlib import AbstractContextManager
from typing import Any

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Executable, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from todo_api.platform.db.availability import Availability
from todo_api.platform.db.database import Database, Run
from todo_api.platform.db.pool import Pool
from todo_api.platform.db.postgresql import PostgreSQL
from todo_api.platform.db.readiness import READY_SECONDS, Readiness
from todo_api.platform.db.sqlite import SQLite
from todo_api.platform.db.statements import Row
from todo_api.platform.options import DatabaseOptions


class Base(DeclarativeBase):
    pass


# Requests go through a pool of our own: the engine's asks the server about itself on its first connection and about
# an extension on each, with no time limit over it all.
db = SQLAlchemy(model_class=Base)


def database(app: Flask | None = None) -> Database:
    """The app's, or the current app's."""
    found: Database = (app or current_app).extensions[__name__]
    return found


def run(clause: Executable, *, lock: Executable | None = None, **parameters: Any) -> list[Row]:
    """As Database.run, on the current app's."""
    return database().run(clause, lock=lock, **parameters)


def transaction() -> AbstractContextManager[Run]:
    """As Database.transaction, on the current app's."""
    return database().transaction()


def init_app(app: Flask, options: DatabaseOptions) -> None:
    """Prepare the database, which is not asked anything yet."""
    app.config["SQLALCHEMY_DATABASE_URI"] = options.url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"hide_parameters": True, "poolclass": NullPool}
    db.init_app(app)
    with app.app_context():
        dialect = db.engine.dialect
    backend = (SQLite if options.url.drivername == "sqlite" else PostgreSQL)(dialect, options)
    availability = Availability(options.upgrade_command)
    pool = Pool(backend.connect, options.connections, lambda pooled: backend.is_usable(pooled, availability.lost))

    def ask(deadline: float) -> None:
        # Every column by its name: the tables of an older version lack some.
        queries = [select(table).compile(dialect=dialect) for table in Base.metadata.tables.values()]
        backend.ask("; ".join(f"{query} LIMIT 1" for query in queries), deadline, READY_SECONDS)

    is_ready = Readiness(ask, options.upgrade_command)
    app.extensions[__name__] = Database(backend, pool, availability, is_ready)
