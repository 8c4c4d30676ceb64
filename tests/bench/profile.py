"""Where the time of one route goes: py-spy samples the server under load, from outside."""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench import servers
from tests.bench.routes import ROUTES, drive, fill, prepare
from tests.bench.servers import Conditions
from tests.support.databases import Postgres

SAMPLES_A_SECOND = 250
DEAREST = 10


def measure(postgres: Postgres, conditions: Conditions, name: str, seconds: int) -> dict[str, Any]:
    """The ten functions in which Python is found most often: in themselves, and in what they call."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        sys.exit("py-spy takes the samples, and it is not installed: pip install py-spy")
    within: Counter[str] = Counter()
    under: Counter[str] = Counter()
    with (
        tempfile.NamedTemporaryFile() as stacks,
        postgres.database() as url,
        servers.service(url, conditions) as server,
    ):
        fill(Postgres(url))
        prepare(Postgres(url), ROUTES[name], seconds)
        # Only the thread that holds the interpreter lock: others wait for it, the database, or a CPU.
        command = [spy, "record", "--pid", str(server.service.pid), "--subprocesses", "--gil", "--format", "raw"]
        command += ["--output", stacks.name, "--rate", str(SAMPLES_A_SECOND), "--duration", str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            drive(server, ROUTES[name], seconds, postgres.server_pid())
        lines = Path(stacks.name).read_text().splitlines()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        functions = [frame.rpartition(":")[0] + ")" for frame in stack.split(";") if frame.endswith(")")]
        if not functions:  # gevent's loop, which is compiled
            functions = ["(gevent)"]
        within[functions[-1]] += int(number)
        under.update(dict.fromkeys(functions, int(number)))
    total = within.total()
    print(f"{name}: share of {total} samples in the function itself, and with what it calls")
    for function, samples in within.most_common(DEAREST):
        print(f"{samples / total:6.1%} {under[function] / total:6.1%}  {function}")
    return {"route": name, "samples": total, "within": dict(within), "under": dict(under)}
