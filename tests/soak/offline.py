"""Clients that edit at random over links that fail, two of a user and one alone, with one seed after another."""

import time
from pathlib import Path

from sqlalchemy import URL

from tests.support.offline import ALONE, LIBRARIES, clients_of
from tests.support.service import serving


def run(folder: Path, url: URL, seeds: int, workers: int) -> None:
    with serving(folder, url, WEB_CONCURRENCY=workers) as server, clients_of(folder, server.address, url) as clients:
        for seed in range(seeds):
            start = time.monotonic()
            failures = clients.run("random.edit", seed, 200, 2)
            clients.run("random.edit", seed, 100, 1, libraries=ALONE)
            seconds = time.monotonic() - start
            failed = ", ".join(f"{library} {failures[library]}" for library in LIBRARIES)
            print(f"seed {seed}: equal after {seconds:.1f} s; failures that each reported: {failed}", flush=True)
