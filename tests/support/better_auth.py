"""The real Better Auth, in a process of Node's."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.checkout import ROOT
from tests.support.node import Process, running
from tests.support.programs import installed_packages
from tests.support.tokens import SECRET

SCRIPTS = ROOT / "tests/programs/better_auth"
ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse battery staple"}


def settings_at(url: str) -> dict[str, str]:
    """What its scripts read from the environment."""
    return {"BETTER_AUTH_URL": url, "BETTER_AUTH_SECRET": SECRET, "BETTER_AUTH_TELEMETRY": "0"}


@contextmanager
def running_better_auth(url: str) -> Iterator[Process]:
    """Its process, once it listens there; what the scripts import is installed exactly as locked."""
    installed_packages(SCRIPTS)
    with running(SCRIPTS / "server.mjs", **settings_at(url)) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
