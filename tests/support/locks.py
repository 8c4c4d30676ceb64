"""A lock among the processes that run tests side by side."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Hold the lock of this name; the kernel releases it when the process ends."""
    with Path(tempfile.gettempdir(), f"todo-test-{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
