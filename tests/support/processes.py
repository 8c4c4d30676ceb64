"""What `/proc` says of processes, and functions of the tests in a Python process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.checkout import ROOT

TICK = os.sysconf("SC_CLK_TCK")


def kept_environment() -> dict[str, str]:
    """What a process that a test starts gets of this one's environment."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}


def children(pid: int) -> list[int]:
    try:
        tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has just ended
        return []
    return [int(child) for task in tasks for child in task.split()]


def handles(pid: int, signal_number: int) -> bool:
    """Whether a process has a function for this signal."""
    try:
        [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt")]
    except OSError:  # it has just ended
        return False
    return bool(int(line.split()[1], 16) >> signal_number - 1 & 1)


def process_tree(pid: int) -> list[int]:
    """A process and all below it, the ancestor first."""
    return [pid, *(process for child in children(pid) for process in process_tree(child))]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process tree has used, including children that ended.

    The time of running processes comes in nanoseconds: in ticks, a few requests over many processes would be mostly
    rounded away.
    """
    seconds = 0.0
    for process in process_tree(pid):
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
            threads = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/schedstat")]
        except OSError:
            continue
        seconds += sum(map(int, stat.rpartition(")")[2].split()[13:15])) / TICK  # cutime, cstime
        seconds += sum(int(thread.split()[0]) for thread in threads) / 1e9
    return seconds


def memory_kib(pid: int) -> int:
    """A process's memory, with its share of what several processes share (PSS)."""
    fields = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(fields[fields.index("Pss:") + 1])


def run_in_new_process(
    function: Callable[..., None], *arguments: Any, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Call a function of a module of the tests in a new Python process, in this folder; it must end well.

    The arguments are passed as JSON. Nothing else reaches it, nor any other variable of this process's environment.
    """
    called = [function.__module__, function.__name__, json.dumps(arguments)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.call", *called],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done
