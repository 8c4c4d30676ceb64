"""Ports, folders and patience."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def eventually(check: Callable[[], bool], seconds: float) -> float:
    """How long it took until this was true."""
    start = time.monotonic()
    while not check():
        assert time.monotonic() < start + seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - start


@contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="todo-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
