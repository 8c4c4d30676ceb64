"""Locks among the processes that run tests side by side; the kernel releases those of a process that ends."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold(lock: Path, *, alone: bool) -> Iterator[None]:
    """Hold a lock alone, or together with others that do not want it alone."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Hold the lock of this name alone, on the whole machine."""
    with hold(Path(tempfile.gettempdir(), f"todo-test-{name}.lock"), alone=True):
        yield
