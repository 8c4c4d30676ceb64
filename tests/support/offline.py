"""The scenarios of tests/clients/offline: clients in Node that use the adapters, against a running server."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.support.checkout import ROOT
from tests.support.node import running
from tests.support.programs import installed_packages
from tests.support.service import environment
from tests.support.tokens import SECRET

ADAPTERS = ROOT / "tests/clients/offline"
LIBRARIES = ("rxdb", "watermelondb", "tanstack", "signaldb", "legendState")
# A client of these that is alone meets no refusal. While it syncs, SignalDB shows a deleted task again for a moment; an
# edit of that is refused.
ALONE = ("rxdb", "watermelondb", "tanstack", "legendState")


class Clients:
    """A process with clients of one server."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def start(self, scenario: str, *given: Any, libraries: Sequence[str] = LIBRARIES) -> None:
        """Start a scenario, such as `edits.sameField`, for each of the libraries."""
        module, _, name = scenario.partition(".")
        line = {"module": module, "name": name, "libraries": libraries, "given": given}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Wait for the end of what was started: the results by library."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        answer = json.loads(line)
        assert not answer["errors"], "\n".join(f"{library}: {error}" for library, error in answer["errors"].items())
        results: dict[str, Any] = answer["results"]
        return results

    def run(self, scenario: str, *given: Any, libraries: Sequence[str] = LIBRARIES) -> dict[str, Any]:
        self.start(scenario, *given, libraries=libraries)
        return self.end()


@contextmanager
def clients_of(folder: Path, address: str, url: URL) -> Iterator[Clients]:
    """Clients of a server at this address, which has this database."""
    installed_packages(ADAPTERS)
    flask = str(Path(sys.executable).with_name("flask"))
    purge = [flask, ["--app", "wsgi", "purge", "--days", "0"], {"cwd": str(ROOT), "env": environment(url)}]
    variables = {"ADDRESS": address, "SECRET": SECRET, "PURGE": json.dumps(purge)}
    log = folder / "clients.log"
    with log.open("a") as output, running(ADAPTERS / "scenarios/driver.mjs", output, **variables) as process:
        yield Clients(process, log)
