"""Flask-SQLAlchemy, for models, migrations and sessions, and the app's own database, for requests."""

from contextlib import AbstractContextManager
from typing import Any

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from gevent.lock import Semaphore
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


# Requests use a pool of our own: the engine's queries the server on its first connection, and about an extension on
# each, with no time limit for it all.
db = SQLAlchemy(model_class=Base)


def database(app: Flask | None = None) -> Database:
    """The database of the app, or of the current one."""
    app_database: Database = (app or current_app).extensions[__name__]
    return app_database


def run(clause: Executable, *, lock: Executable | None = None, **parameters: Any) -> list[Row]:
    """`Database.run` of the current app."""
    return database().run(clause, lock=lock, **parameters)


def transaction() -> AbstractContextManager[Run]:
    """`Database.transaction` of the current app."""
    return database().transaction()


def init_app(app: Flask, options: DatabaseOptions) -> None:
    """Prepare the database, without connecting to it yet."""
    app.config["SQLALCHEMY_DATABASE_URI"] = options.url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"hide_parameters": True, "poolclass": NullPool}
    db.init_app(app)
    with app.app_context():
        dialect, engines = db.engine.dialect, db.engines.values()
    for events in (engine.pool.dispatch for engine in engines):
        # SQLAlchemy holds this lock while it queries the server on a session's first connection. With a lock of
        # threads, a second greenlet that wants it meanwhile would stop the worker for good.
        events.connect.for_modify(events)._exec_once_mutex = Semaphore()  # type: ignore[attr-defined]
    backend = (SQLite if options.url.drivername == "sqlite" else PostgreSQL)(dialect, options)
    availability = Availability(options.upgrade_command)
    pool = Pool(backend.connect, options.connections, lambda pooled: backend.is_usable(pooled, availability.lost))

    def ask(deadline: float) -> None:
        # Every column by its name: the tables of an older version lack some.
        queries = [select(table).compile(dialect=dialect) for table in Base.metadata.tables.values()]
        backend.ask("; ".join(f"{query} LIMIT 1" for query in queries), deadline, READY_SECONDS)

    is_ready = Readiness(ask, options.upgrade_command)
    app.extensions[__name__] = Database(backend, pool, availability, is_ready)
