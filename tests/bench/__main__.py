"""`python -m tests.bench`: the command line, and the table of routes."""

import argparse
import json
import logging
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import growth, profile, servers, waiting
from tests.bench.routes import ROUTES, Round, drive, fill, middle, prepare, wrk
from tests.bench.servers import Conditions, Server
from tests.support.databases import Postgres, running_postgres
from tests.support.processes import memory_kib, process_tree


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("mode", nargs="?", default="routes", choices=["routes", "growth", "waiting", "profile"])
    parser.add_argument("route", nargs="?", default="one", choices=ROUTES, help="what to profile")
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="the FastAPI peer")
    parser.add_argument("--fastify", action="store_true", help="the Fastify peer")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of this service")
    parser.add_argument("--routes", default=",".join(ROUTES), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="of each route and server (default: 5)")
    parser.add_argument("--seconds", type=int, default=2, help="that a round takes (default: 2)")
    parser.add_argument("--workers", type=int, default=1, help="processes of each server (default: 1)")
    parser.add_argument("--pin", action="store_true", help="set PIN_WORKERS")
    parser.add_argument("--one-cpu", action="store_true", help="hold each server on one CPU")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there as well")
    cache = Path(tempfile.gettempdir(), "todo-bench-peer")
    parser.add_argument("--cache", type=Path, default=cache, help="where the peer's packages stay")
    options = parser.parse_args()
    if unknown := set(options.routes.split(",")) - ROUTES.keys():
        parser.error(f"no such routes: {', '.join(unknown)}")
    wrk()
    logging.disable()  # of the migrations
    conditions = Conditions(options.workers, options.pin, options.one_cpu)
    with running_postgres() as postgres:
        postgres.execute("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        if options.mode == "growth":
            found = growth.measure(postgres, conditions, options.rounds, options.seconds)
        elif options.mode == "waiting":
            found = waiting.measure(postgres, conditions, options.rounds, options.seconds)
        elif options.mode == "profile":
            found = profile.measure(postgres, conditions, options.route, options.rounds * options.seconds)
        else:
            found = measure_routes(postgres, conditions, options)
    if options.json:
        options.json.write_text(json.dumps({**conditions._asdict(), **found}, indent=2) + "\n")


def measure_routes(postgres: Postgres, conditions: Conditions, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"routes": {}, "ratios": {}, "memory_mib": {}, "first_answer_seconds": {}}
    postgres_pid = postgres.server_pid()
    with ExitStack() as stack:
        enter = stack.enter_context
        urls = {"ours": enter(postgres.database())}
        rivals = [enter(servers.service(urls["ours"], conditions))]
        if options.against:
            urls["other"] = enter(postgres.database())
            rivals.append(enter(servers.service(urls["other"], conditions, options.against, "other")))
        if options.peer:
            urls["peer"] = enter(postgres.database())
            rivals.append(enter(servers.peer(urls["peer"], conditions, options.peer, options.cache)))
        if options.fastify:
            urls["fastify"] = enter(postgres.database())
            rivals.append(enter(servers.fastify(urls["fastify"], conditions)))
        for url in urls.values():
            fill(Postgres(url))
        floor = enter(servers.floor(conditions))
        print(f"µs of CPU a request, server's + PostgreSQL's; requests/s; p50, p99 in ms; {conditions}")
        for name in options.routes.split(","):
            rounds: dict[str, list[Round]] = defaultdict(list)
            able = [*rivals, floor] if name == "health" else rivals[:1] if ROUTES[name].sync else rivals
            for _ in range(options.rounds):
                for server in able:
                    if server is not floor:
                        prepare(Postgres(urls[server.name]), ROUTES[name], options.seconds)
                    rounds[server.name].append(drive(server, ROUTES[name], options.seconds, postgres_pid))
            medians = {server: middle(of_server) for server, of_server in rounds.items()}
            print_row(name, medians)
            found["routes"][name] = {server: median._asdict() for server, median in medians.items()}
            found["ratios"][name] = ratios(medians)
        for server in rivals:
            found["memory_mib"][server.name] = memory_of(server)
            found["first_answer_seconds"][server.name] = server.service.start_seconds
    return found


def ratios(medians: dict[str, Round]) -> dict[str, dict[str, float]]:
    """How many times better than each of the others this service is."""
    ours = medians["ours"]
    return {
        name: {"cpu": it.cpu / ours.cpu, "rate": ours.rate / it.rate, "p99": it.p99 / ours.p99}
        for name, it in medians.items()
        if name != "ours"
    }


def print_row(name: str, medians: dict[str, Round]) -> None:
    row = [f"{name:9}"]
    for server, it in medians.items():
        row.append(f"{server} {it.cpu:5.0f} +{it.postgres:4.0f} µs {it.rate:5.0f}/s {it.p50:6.2f} {it.p99:6.2f} ms")
    for server, ratio in ratios(medians).items():
        row.append(f"{server}/ours: CPU {ratio['cpu']:.2f}, rate {ratio['rate']:.2f}, p99 {ratio['p99']:.2f}")
    print(" | ".join(row), flush=True)


def memory_of(server: Server) -> list[float]:
    """The memory of each of a server's processes, the parent first."""
    sizes = [memory_kib(pid) / 1024 for pid in process_tree(server.service.pid)]
    print(f"{server.name}: {' + '.join(f'{mib:.0f}' for mib in sizes)} MiB after the load,", end=" ")
    print(f"first answer after {server.service.start_seconds:.2f} s")
    return sizes


main()
