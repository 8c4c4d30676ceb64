"""The production server, `python wsgi.py`: bind once, migrate SQLite, then workers that serve.

`supervisor` forks the workers and replaces them; `worker` serves and drains, with `channels` and `answers`.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from todo_api.app import create_app
from todo_api.platform import metrics
from todo_api.platform.server.listener import listen
from todo_api.platform.server.supervisor import STOP, Supervisor, say
from todo_api.settings import Settings


def serve(settings: Settings) -> int:
    """Serve until stopped; the exit status: 1 when the database or the workers do not start, 2 without the port."""
    try:
        listener = listen(settings)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]
        say(f"cannot listen on {settings.host}:{settings.port}: {reason}")
        return 2
    if settings.uses_sqlite and not migrated(settings):
        return 1
    say(greeting(settings))
    metrics.prepare(settings)
    return Supervisor(listener, settings, create_app(settings)).run()


def migrated(settings: Settings) -> bool:
    """Bring SQLite's schema up to date, in a process of its own: what that imports no request needs."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    app = create_app(settings)
    status = 1
    try:
        from alembic import command

        from todo_api.service import commands as cli

        cli.init_app(app)
        with app.app_context():
            command.upgrade(app.extensions["migrate"].migrate.get_config(), "head")
        status = 0
    except BaseException as error:
        reason = next(iter(str(error).splitlines()), "")
        say(f"cannot bring {settings.database(app.instance_path).database} up to date: {reason or repr(error)}")
    finally:
        os._exit(status)


def greeting(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"Listening on http://{host}:{settings.port}, documented at http://{host}:{settings.port}/docs"]
    if settings.makes_its_secret:
        lines.append(f"For trying it out, `{flask_command()} --app wsgi token alice` prints a token for alice")
    return "\n".join(lines)


def flask_command() -> str:
    """How the `flask` beside this interpreter is started from here."""
    flask = Path(sys.prefix, "bin", "flask")
    if shutil.which("flask") == str(flask):
        return "flask"
    return str(flask.relative_to(Path.cwd()) if flask.is_relative_to(Path.cwd()) else flask)
