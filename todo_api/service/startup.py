"""What the server does and prints when it starts: SQLite's migrations, and a greeting."""

import os
import shutil
import sys
from pathlib import Path

from flask import Flask

from todo_api.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def upgrade_database(app: Flask) -> None:
    """Bring the schema up to date. Raises SystemExit with one line."""
    # Imported here: no request needs them.
    from alembic import command

    from todo_api.service import commands

    commands.init_app(app)
    try:
        with app.app_context():
            command.upgrade(app.extensions["migrate"].migrate.get_config(), "head")
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "") or repr(error)
        path = app.config["SQLALCHEMY_DATABASE_URI"].database
        raise SystemExit(f"cannot bring {path} up to date: {reason}") from error


def greeting(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"Listening on http://{host}:{settings.port}, documented at http://{host}:{settings.port}/docs"]
    if settings.makes_its_secret:
        app = os.path.relpath(ROOT / "wsgi")
        lines.append(f"For trying it out, `{flask_command()} --app {app} token alice` prints a token for alice")
    return "\n".join(lines)


def flask_command() -> str:
    """The command, from this folder, for the `flask` beside this interpreter."""
    flask = Path(sys.prefix, "bin", "flask")
    if shutil.which("flask") == str(flask):
        return "flask"
    return str(flask.relative_to(Path.cwd()) if flask.is_relative_to(Path.cwd()) else flask)
