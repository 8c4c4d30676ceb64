"""Restarts of every kind under load, and what they cost: `python -m tests.soak.faults [rounds] [--kind KIND]`.

Prints a line for each kind and exits 1 if anything acknowledged was lost, anything but 503 was answered, or a limit
was passed: 10 s a request, 1 s for `/health`, 1 s (2 s behind PgBouncer) until it serves again.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.support.cluster import Cluster, running_cluster, running_pgbouncer
from tests.support.load import Load
from tests.support.proxy import Proxy
from tests.support.service import serving


def frozen(cluster: Cluster, proxy: Proxy) -> None:
    cluster.freeze()
    time.sleep(8)
    cluster.thaw()


def cut_off(cluster: Cluster, proxy: Proxy) -> None:
    proxy.stall()
    time.sleep(8)
    proxy.heal()


def stopped(cluster: Cluster, proxy: Proxy) -> None:
    cluster.stop()
    time.sleep(3)
    cluster.start()


KINDS: dict[str, Callable[[Cluster, Proxy], None]] = {
    "fast restart": lambda cluster, proxy: cluster.restart("fast"),
    "immediate restart": lambda cluster, proxy: cluster.restart("immediate"),
    "stopped for 3 s": stopped,
    "frozen for 8 s": frozen,
    "cut off for 8 s": cut_off,
}


def soak(name: str, fault: Callable[[Cluster, Proxy], None], rounds: int, limit: float, stack: ExitStack) -> bool:
    cluster = stack.enter_context(running_cluster())
    proxy = Proxy(cluster.port)
    stack.callback(proxy.close)
    url = cluster.url.set(port=proxy.port)
    if name.endswith("PgBouncer"):
        url = stack.enter_context(running_pgbouncer(cluster, proxy.port))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    service = stack.enter_context(serving(folder, url, WEB_CONCURRENCY=2))
    recovery = []
    with Load(service.port, pause=0.01) as load:
        for _ in range(rounds):
            time.sleep(1)
            fault(cluster, proxy)
            back = time.monotonic()
            time.sleep(3)
            recovery.append(load.first_success_after(back))
    lost, stored = load.lost(cluster), load.in_doubt_and_stored(cluster)
    print(
        f"{name:30} {rounds} times: {len(load.answers)} answers, {len(load.created)} acknowledged, {len(lost)} lost, "
        f"{len(stored)} stored but unanswered, {len(load.wrong)} wrong, slowest {load.slowest:.1f} s, "
        f"/health {max(load.health):.2f} s, back after {max(recovery):.2f} s",
        flush=True,
    )
    for wrong in load.wrong[:3]:
        print("   ", wrong)
    return not lost and not load.wrong and load.slowest < 10 and max(load.health) < 1 and max(recovery) < limit


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.faults", description="Outages under load.")
    parser.add_argument("rounds", nargs="?", type=int, default=5, help="of each kind, with and without PgBouncer")
    parser.add_argument("--kind", choices=KINDS, help="only this one")
    options = parser.parse_args()
    logging.disable(logging.INFO)  # of the migrations
    good = True
    for pooler, limit in (("", 1.0), (" behind PgBouncer", 2.0)):
        for name in [options.kind] if options.kind else KINDS:
            with ExitStack() as stack:
                good &= soak(name + pooler, KINDS[name], options.rounds, limit, stack)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
