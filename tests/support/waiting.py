"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], seconds: float = 10, *, every: float = 0.02) -> Value:
    """The condition's first true value. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        assert time.monotonic() < deadline, f"not within {seconds} s"
        if value:
            return value
        time.sleep(every)
