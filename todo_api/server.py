"""The production server: waitress, on a socket that is bound once."""

import os
import socket
import sys
import traceback

import waitress

from todo_api.app import create_app
from todo_api.config import Settings


def serve(settings: Settings) -> int:
    """Serve until stopped; the exit status."""
    try:
        listener = listen(settings)
    except OSError as error:
        print(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 2
    if settings.uses_sqlite and not migrated(settings):
        return 1
    app = create_app(settings)
    print(f"Listening on http://{settings.host}:{settings.port}", flush=True)
    waitress.serve(app, sockets=[listener], threads=settings.threads, ident=None)
    return 0


def listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=1024)


def migrated(settings: Settings) -> bool:
    """Bring SQLite's schema up to date, in a process of its own: what that imports no request needs."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        import flask_migrate

        from todo_api import cli

        app = create_app(settings)
        cli.init_app(app)
        with app.app_context():
            flask_migrate.upgrade()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
