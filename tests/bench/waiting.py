"""What clients that wait for changes cost a worker: memory, processor time, and the answers of others."""

import time
from typing import Any

from tests.bench import servers
from tests.bench.routes import ROUTES, drive, fill, middle
from tests.bench.servers import Conditions
from tests.soak.waiting import Waiting
from tests.support.databases import Postgres
from tests.support.processes import cpu_seconds, memory_kib

CLIENTS = 1000
# Of the others: at more, what is measured is how long they wait for each other.
CONNECTIONS = 1
# A wait that begins anew, after 25 s, is not what is measured.
IDLE_SECONDS = 10


def measure(postgres: Postgres, conditions: Conditions, rounds: int, seconds: int) -> dict[str, Any]:
    """A worker without clients that wait, and with a thousand."""
    one = ROUTES["one"]
    with postgres.database() as url, servers.service(url, conditions._replace(workers=1)) as server:
        fill(Postgres(url))
        pid = postgres.server_pid()
        alone = middle([drive(server, one, seconds, pid, CONNECTIONS) for _ in range(rounds)])
        [worker] = server.service.workers()
        memory, was = memory_kib(worker), _seconds(server.service.pid, pid)
        time.sleep(IDLE_SECONDS)
        idle = _seconds(server.service.pid, pid) - was
        with Waiting(server.service.port, CLIENTS):
            time.sleep(3)  # until all wait
            each, was = (memory_kib(worker) - memory) / CLIENTS, _seconds(server.service.pid, pid)
            time.sleep(IDLE_SECONDS)
            waiting = _seconds(server.service.pid, pid) - was
            beside = middle([drive(server, one, seconds, pid, CONNECTIONS) for _ in range(rounds)])
    found = {
        "clients": CLIENTS,
        "KiB each": each,
        "% of a core": 100 * (waiting - idle) / IDLE_SECONDS,
        "one, alone": alone._asdict(),
        "one, beside them": beside._asdict(),
    }
    print(f"{CLIENTS} clients wait: {each:.1f} KiB each, {found['% of a core']:.2f} % of a core,", end=" ")
    print("PostgreSQL's share included;", end=" ")
    print(f"one task beside them p50 {beside.p50:.2f} ms, p99 {beside.p99:.2f} ms", end=" ")
    print(f"(without them {alone.p50:.2f} and {alone.p99:.2f})")
    return found


def _seconds(service: int, postgres: int) -> float:
    return cpu_seconds(service) + cpu_seconds(postgres)
