"""Scripts in Node that talk with a test by lines on their standard input and output."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def running(script: Path, stderr: IO[str] | None = None, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """The script in a process in its own folder, stopped at the end."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(
        ["node", script.name],
        cwd=script.parent,
        env={**kept, **variables},
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
