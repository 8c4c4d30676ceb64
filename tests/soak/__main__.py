import argparse
import tempfile
from pathlib import Path

from tests.soak import memory, offline, stops, sync
from tests.soak.databases import database

parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Soaks; each prints its figures.")
parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--clients", type=int, default=16)
commands = parser.add_subparsers(dest="command", required=True)
of_stops = commands.add_parser("stops", help="stop it under load")
of_stops.add_argument("--stops", type=int, default=30)
of_stops.add_argument("--waiting", type=int, default=500, help="clients that wait for changes meanwhile")
commands.add_parser("memory", help="watch its memory").add_argument("--requests", type=int, default=200_000)
commands.add_parser("sync", help="write beside readers of the feed").add_argument("--seconds", type=float, default=30)
commands.add_parser("offline", help="edit offline at random").add_argument("--seeds", type=int, default=20)
options = parser.parse_args()
with tempfile.TemporaryDirectory() as name, database(options.database, Path(name)) as url:
    if options.command == "stops":
        stops.run(Path(name), url, options.stops, options.workers, options.clients, options.waiting)
    elif options.command == "sync":
        sync.run(Path(name), url, options.seconds, options.workers)
    elif options.command == "offline":
        offline.run(Path(name), url, options.seeds, options.workers)
    else:
        memory.run(Path(name), url, options.requests, options.workers, options.clients)
