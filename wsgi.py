"""The WSGI app for any server; `python wsgi.py` is the production server."""

import select
import signal
import sys

if __name__ == "__main__":
    # They wait until the server looks for them: to a process with id 1, one that comes too early would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})

from todo_api.app import create_app
from todo_api.settings import Settings, SettingsError, read_settings


def settings_or_exit() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    if not hasattr(select, "epoll"):
        sys.exit("The server needs Linux: elsewhere run its container, or `flask --app wsgi db upgrade` and `… run`.")
    from todo_api.platform.server import start as server

    sys.exit(server.serve(settings_or_exit()))
else:
    # Here, since it imports what no request needs.
    from todo_api.service import commands as cli

    app = create_app(settings_or_exit())
    cli.init_app(app)
