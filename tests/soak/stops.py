"""Stops the server under load, again and again, and counts what that loses."""

import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.soak.clients import Report, load
from tests.soak.waiting import Waiting
from tests.support.databases import stored_titles
from tests.support.service import serving
from tests.support.waiting import wait_until

# It is stopped under load when so much is written, however busy the machine is.
WRITTEN = 50


def stop_under_load(
    folder: Path,
    url: URL,
    *,
    workers: int = 2,
    clients: int = 16,
    waiting: int = 0,
    seconds: float = 1.5,
    **settings: object,
) -> tuple[Report, dict[str, Any]]:
    """One start, load, SIGTERM and exit: what became of the requests, and the exit status with the time it took.

    Beside the clients that write and read, as many wait for changes as `waiting` says.
    """
    settings = {"LAME_DUCK_SECONDS": None, **settings}  # as by default
    with (
        serving(folder, url, WEB_CONCURRENCY=workers, **settings) as service,
        Waiting(service.port, waiting) as waits,
        load(service.port, clients) as end,
    ):
        time.sleep(seconds)
        wait_until(lambda: len(stored_titles(url)) > WRITTEN, 20)
        start = time.monotonic()
        status = service.stop()
        took = time.monotonic() - start
        report = end()
        answered, others = waits.answers()
        report.lost += others
    return report, {"exit status": status, "stopped in (s)": round(took, 2), "waits answered": answered}


def run(folder: Path, url: URL, stops: int, workers: int, clients: int, waiting: int) -> None:
    total = Report()
    for number in range(1, stops + 1):
        report, end = stop_under_load(folder, url, workers=workers, clients=clients, waiting=waiting)
        total.add(report)
        print(number, end, {**total.compared_with(url)}, flush=True)
    for problem in (total.lost + total.torn)[:20]:
        print(problem)
