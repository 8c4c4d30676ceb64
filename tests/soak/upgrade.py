"""Replaces an older version by this one and back, replica by replica, while clients of the older one go on."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.soak.frontends import Frontend
from tests.soak.sync import Json, Reader
from tests.support.checkout import ROOT
from tests.support.databases import Postgres
from tests.support.ports import free_port
from tests.support.service import Service, environment, serving

# Each user's tasks from before. Two clients share the first of them: one has its title, the other its description.
ROWS = 1000
SEED = """
    INSERT INTO tasks (user_id, title, completed, created_at, updated_at)
    SELECT 'user-' || number % {users}, 'from before', false, now(), now() FROM generate_series(1, {rows}) number
"""
FIELDS = ("id", "user_id", "title", "description", "completed")
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class Replica:
    """A port at which one version after another serves, with the default time for a stop."""

    def __init__(self, folder: Path, url: URL, workers: int) -> None:
        folder.mkdir()
        self.port = free_port()
        self._folder, self._url, self._workers = folder, url, workers
        self._context = ExitStack()
        self._service: Service | None = None

    def replace(self, root: Path) -> None:
        self.stop()
        settings = {"PORT": self.port, "WEB_CONCURRENCY": self._workers, "LAME_DUCK_SECONDS": None}
        self._service = self._context.enter_context(serving(self._folder, self._url, root=root, **settings))

    def stop(self) -> None:
        assert self._service is None or self._service.stop() == 0
        self._context.close()


class Upgrade:
    """Two replicas, their database and their clients."""

    def __init__(self, folder: Path, url: URL, old: Path, seconds: float, workers: int, clients: int) -> None:
        self._failures: list[str] = []
        self._url, self._database, self._old, self._seconds = url, Postgres(url), old, seconds
        self._replicas = [Replica(folder / name, url, workers) for name in "AB"]
        self._flask("db", "upgrade", root=old)
        [(self._old_head,)] = self._database.query("SELECT version_num FROM alembic_version")
        users = (clients + 1) // 2
        self._database.execute(SEED.format(users=users, rows=ROWS * users))
        shared = dict(self._database.query("SELECT user_id, min(id) FROM tasks GROUP BY user_id"))
        self._untouched = {key: task for key, task in self._stored().items() if key not in shared.values()}
        ports = [replica.port for replica in self._replicas]
        self._clients = [
            Frontend(ports, user, {shared[user]: {"title": {"from before"}} if even else {"description": {None}}}, seed)
            for seed, (user, even) in enumerate([(user, even) for user in shared for even in (True, False)][:clients])
        ]

    def run(self, rounds: int) -> None:
        a, b = self._replicas
        with ExitStack() as stack:
            for replica in (a, b):
                stack.callback(replica.stop)
                replica.replace(self._old)
            followed: list[Reader] = []
            for _ in range(rounds):
                with self._load():
                    self._phase("both old")
                    self._phase("db upgrade", lambda: self._flask("db", "upgrade"))
                    self._flask("sync-reset")  # what was written since a downgrade has no revision
                    deleted = self._deleted()
                    self._phase("A new, B old", lambda: a.replace(ROOT))
                    with self._reading(a.port) as readers:
                        self._phase("A new, B new", lambda: b.replace(ROOT))
                for reader in readers:
                    self._check_feed(reader, self._deleted(reader.user_id) - deleted)
                for reader in followed:  # from before the downgrade
                    answer = reader.ask("GET", f"/changes?since={reader.since}")
                    self._expect(answer is not None and answer.status == 410, f"{reader.since} is known: {answer}")
                followed = readers
                self._check_table()
                with self._load():
                    self._phase("A new, B old", lambda: b.replace(self._old))
                    self._phase("A old, B old", lambda: a.replace(self._old))
                    self._phase("db downgrade", lambda: self._flask("db", "downgrade", self._old_head))
                    self._phase("both old")
                self._check_table()

    def _phase(self, name: str, step: Callable[[], None] = lambda: None) -> None:
        """Do the step under load, go on for some seconds, and print what became of the requests meanwhile."""
        begun = [len(client.outcomes) for client in self._clients]
        lost, [(deadlocks,)], start = self._lost(), self._database.query(DEADLOCKS), time.monotonic()
        step()
        took = time.monotonic() - start
        time.sleep(self._seconds)
        outcomes = [o for client, since in zip(self._clients, begun, strict=True) for o in client.outcomes[since:]]
        statuses = Counter(outcome.status for outcome in outcomes)
        figures = {
            "requests": len(outcomes),
            "writes": sum(outcome.method != "GET" and 0 < outcome.status < 300 for outcome in outcomes),
            "lost": self._lost() - lost,
            "503": statuses[503],
            "other 5xx": sum(count for status, count in statuses.items() if status >= 500 and status != 503),
            "cut": statuses[0],
            "slowest (s)": round(max(outcome.seconds for outcome in outcomes), 2),
            "deadlocks": self._database.query(DEADLOCKS)[0][0] - deadlocks,
        }
        print(f"{name:14} {took:5.1f} s", figures, flush=True)

    def _check_feed(self, reader: Reader, deleted: set[int]) -> None:
        """What it followed from 0 on, under load, is what is stored; what was deleted has a tombstone."""
        reader.finish()
        reader.since = 1  # a pull from 0 leaves out the tombstones of before
        reader.finish()
        tombstones = {key for key, change in reader.mirror.items() if "deleted" in change}
        tasks = {
            key: {name: change[name] for name in FIELDS}
            for key, change in reader.mirror.items()
            if key not in tombstones
        }
        self._expect(tasks == self._stored(reader.user_id), f"{reader.user_id}: the feed is not the table")
        self._expect(deleted <= tombstones, f"{reader.user_id}: no tombstone of {deleted - tombstones}")
        self._failures += reader.problems
        print(f"{reader.user_id}: {len(tasks)} tasks and {len(deleted)} tombstones in the feed", flush=True)

    def _check_table(self) -> None:
        stored = self._stored()
        for client in self._clients:
            client.compare_all(stored)
        self._expect(self._untouched.items() <= stored.items(), "a task that nobody wrote to is not as it was")

    def _stored(self, user_id: str = "%") -> dict[int, Json]:
        rows = self._database.query(f"SELECT {', '.join(FIELDS)} FROM tasks WHERE user_id LIKE '{user_id}'")
        return {row[0]: dict(zip(FIELDS, row, strict=True)) for row in rows}

    def _deleted(self, user_id: str = "") -> set[int]:
        return {key for client in self._clients if user_id in ("", client.user_id) for key in client.deleted}

    def _lost(self) -> int:
        return sum(len(client.lost) for client in self._clients)

    def _expect(self, holds: bool, otherwise: str) -> None:
        self._failures += [] if holds else [otherwise]

    def problems(self) -> list[str]:
        return [*self._failures, *(problem for client in self._clients for problem in client.lost + client.wrong)]

    def _flask(self, *arguments: str, root: Path = ROOT) -> None:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        env = environment(self._url)
        done = subprocess.run(command, cwd=root, env=env, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def _load(self) -> Iterator[None]:
        ended = threading.Event()
        with ThreadPoolExecutor(len(self._clients)) as executor:
            ends = [executor.submit(client.run, ended) for client in self._clients]
            try:
                yield
            finally:
                ended.set()
        for end in ends:
            end.result()

    @contextmanager
    def _reading(self, port: int) -> Iterator[list[Reader]]:
        ended = threading.Event()
        readers = [Reader(port, user, 0, ended) for user in sorted({client.user_id for client in self._clients})]
        for reader in readers:
            reader.since = 0
            reader.start()
        try:
            yield readers
        finally:
            ended.set()
            for reader in readers:
                reader.join()


def run(folder: Path, url: URL, old: Path, seconds: float, rounds: int, workers: int, clients: int) -> bool:
    """Whether every write acknowledged was kept, and nothing failed but with 503."""
    upgrade = Upgrade(folder, url, old, seconds, workers, clients)
    upgrade.run(rounds)
    problems = upgrade.problems()
    print(f"{len(problems)} problems", *problems[:20], sep="\n")
    return not problems
