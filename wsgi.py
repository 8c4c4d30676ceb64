"""The WSGI app for any server; `python wsgi.py` is the production server."""

import signal
import sys

if __name__ == "__main__":
    # Until the supervisor waits for them: the kernel drops a signal that process 1 neither blocks nor handles.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})

from todo_api.app import create_app
from todo_api.platform.environment import SettingsError
from todo_api.settings import Settings, read_settings


def settings_or_exit() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        sys.exit(2)


def main() -> int:
    """Run the production server. Returns its exit status."""
    if not sys.platform.startswith("linux"):
        sys.exit("The server needs Linux: elsewhere run its container, or `flask --app wsgi db upgrade` and `… run`.")
    from todo_api.platform.server import start
    from todo_api.service import startup

    settings = settings_or_exit()
    return start.serve(
        settings.server,
        lambda: create_app(settings),
        prepare=(lambda: startup.upgrade_database(create_app(settings))) if settings.uses_sqlite else None,
        greeting=startup.greeting(settings),
    )


if __name__ == "__main__":
    sys.exit(main())
else:
    # Imported here: no request needs them.
    from todo_api.service import commands
    from todo_api.tasks import commands as sync_commands

    app = create_app(settings_or_exit())
    commands.init_app(app)
    sync_commands.init_app(app)
