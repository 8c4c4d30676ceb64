import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak import memory, offline, stops, sync, upgrade
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
of_upgrade = commands.add_parser("upgrade", help="replace an older version by this one and back, under load")
of_upgrade.add_argument("--from", type=Path, required=True, dest="old", metavar="FOLDER", help="the older checkout")
of_upgrade.add_argument("--seconds", type=float, default=4, help="of load after each step")
of_upgrade.add_argument("--rounds", type=int, default=2)
options = parser.parse_args()
is_upgrade = options.command == "upgrade"
if is_upgrade and options.database != "postgresql":
    parser.error("replicas share a PostgreSQL database")
with tempfile.TemporaryDirectory() as name, database(options.database, Path(name), empty=is_upgrade) as url:
    if options.command == "stops":
        stops.run(Path(name), url, options.stops, options.workers, options.clients, options.waiting)
    elif options.command == "sync":
        sync.run(Path(name), url, options.seconds, options.workers)
    elif options.command == "offline":
        offline.run(Path(name), url, options.seeds, options.workers)
    elif is_upgrade:
        steps = (options.seconds, options.rounds, options.workers, options.clients)
        sys.exit(not upgrade.run(Path(name), url, options.old.resolve(), *steps))
    else:
        memory.run(Path(name), url, options.requests, options.workers, options.clients)
