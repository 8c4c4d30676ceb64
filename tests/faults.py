"""What tests change in a server before it starts: each function is called in the server's own process."""

import errno
import itertools
import logging
import os
import resource
import signal
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import gevent
import psycopg2
from flask import Flask, g, request, send_file
from sqlalchemy import text

from todo_api import app as factory
from todo_api.platform import parking
from todo_api.platform.db.engine import db
from todo_api.platform.server import connection, worker
from todo_api.platform.web.app import App
from todo_api.service import startup
from todo_api.tasks.store import watch

log = logging.getLogger("todo_api")


def no_worker_can_start() -> None:
    worker.Server = lambda *arguments: 1 / 0  # type: ignore[assignment, misc]


def a_fork_that_fails() -> None:
    """The first fork of a worker fails, as where no memory is free; the fork before it is for the migration."""
    fork, forks = os.fork, itertools.count(1)

    def fork_but_once() -> int:
        if next(forks) == 2:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return fork()

    os.fork = fork_but_once


def forks_that_fail() -> None:
    """No worker can be forked, as where the container may have no more processes; the migration's child could."""
    fork, forks = os.fork, itertools.count(1)

    def fork_once() -> int:
        if next(forks) > 1:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    os.fork = fork_once


def a_stop_during_the_migration() -> None:
    """A person presses Ctrl-C while the database is being migrated."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs lack
    startup.upgrade_database = lambda app: signal.raise_signal(signal.SIGINT)


def a_stop_of_the_service_during_the_migration() -> None:
    """The service gets SIGTERM while a long migration runs in its child."""

    def migrate(app: Flask) -> None:
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(30)

    startup.upgrade_database = migrate


def few_files() -> None:
    """The process may open 200 files, fewer than its connections need."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))


def impatience() -> None:
    """A request has to arrive within 2 s."""
    connection.REQUEST_SECONDS = 2


def slow_connecting() -> None:
    """Connecting to PostgreSQL takes 2 s longer, as where the host's name is looked up slowly."""
    connect = psycopg2.connect

    def connect_slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(2)
        return connect(*arguments, **options)

    psycopg2.connect = connect_slowly


def raising_app() -> None:
    """The WSGI app itself raises: at /exit SystemExit; at /broken RuntimeError, and again when it is to answer that
    where the request's id is `again`.
    """
    wsgi_app = App.wsgi_app

    def raising(app: App, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/exit":
            raise SystemExit(3)
        if path.startswith("/broken") or (path == "/." and environ.get("HTTP_X_REQUEST_ID") == "again"):
            raise RuntimeError(path)
        return wsgi_app(app, environ, start_response)

    App.wsgi_app = raising  # type: ignore[method-assign]


def ordinary_routes() -> None:
    """The app has routes that use Flask's and Flask-SQLAlchemy's globals, as those of any Flask app may."""
    ended: list[int] = []
    create_app = factory.create_app

    def create_with_routes(*arguments: Any) -> App:
        app = create_app(*arguments)
        add_routes(app)
        return app

    def add_routes(app: Flask) -> None:
        @app.get("/keep/<user>")
        def keep(user: str) -> dict[str, Any]:
            before = g.get("user")
            g.user = user
            db.session.execute(text("SELECT 1"))
            return {"before": before, "g": g.user, "session": id(db.session()), "path": request.path}

        @app.get("/ended")
        def count_ended() -> str:
            return str(len(ended))

        @app.get("/file")
        def file() -> Any:
            return send_file(Path(os.environ["FILE"]))

        @app.get("/stream")
        def stream() -> Any:
            return (f"{number}\n" for number in range(1000))

        @app.get("/large")
        def large() -> Any:
            return (b"x" * 100_000 for _ in range(200))

        @app.get("/header")
        def header() -> Any:
            return "x", {"X-Letter": "ž"}

        @app.get("/print")
        def show() -> str:
            print("a view prints")
            log.info("%d tasks", "private")
            return ""

        @app.get("/<path:page>")
        def any_other(page: str) -> str:
            return page

        @app.errorhandler(404)
        def not_found(error: Exception) -> tuple[str, int]:
            return "not found", 404

        @app.teardown_appcontext
        def note(error: BaseException | None) -> None:
            ended.append(os.getpid())

    factory.create_app = create_with_routes


def no_questions_while_waiting() -> None:
    """What others change is found after a minute only."""
    parking.ASK_SECONDS = 60


def slow_questions() -> None:
    """Asking what others changed takes 0.9 s, and is logged."""
    ask = watch.ask

    def ask_slowly(keys: Collection[str]) -> Mapping[str, int]:
        log.info("asked")
        gevent.sleep(0.9)
        return ask(keys)

    watch.ask = ask_slowly  # type: ignore[method-assign]


def few_connections() -> None:
    """A worker holds at most 8 connections."""
    worker.connection_limit = lambda wanted: 8
