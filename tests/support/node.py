"""Scripts in Node that talk with a test by lines on their standard input and output."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.support.processes import kept_environment

Process = subprocess.Popen[str]


def stop(process: Process) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def running(script: Path, stderr: IO[str] | None = None, **variables: str) -> Iterator[Process]:
    """The script in a process in its own folder, stopped at the end."""
    process = subprocess.Popen(
        ["node", script.name],
        cwd=script.parent,
        env={**kept_environment(), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            stop(process)
