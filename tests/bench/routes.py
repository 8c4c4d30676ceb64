"""The kinds of request, the rows they need, and wrk, which sends them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.servers import Server
from tests.support.databases import Postgres
from tests.support.processes import cpu_seconds
from tests.support.tokens import bearer

CONNECTIONS = 16
PATIENCE_SECONDS = 10
# Ids of one length keep the answers of a kind at one length: those filled in, those assigned, those to be deleted.
FILLED, ASSIGNED, DELETED = 1_000_000, 10_000_000, 20_000_000
OWNERS = {"list20": 20, "list100": 100, "list1000": 1000, "reader": 1000, "writer": 10_000, "other": 100_000}
OWNERS["full1000"] = 1000
# Of the routes for many users.
USERS = 16
OWNERS |= {f"user-{n:02}": 1000 for n in range(USERS)}
# More than any server here can delete.
DELETES_A_SECOND = 30_000
# Each task takes a value of its user's counter, a row whose versions a long transaction would pile up.
BATCH = 1000
# Every field of a task, for the owner of that name.
FULL = """UPDATE tasks SET completed = true, due = '2026-12-01T17:00', priority = 2, tags = '{home,shop}',
    completed_at = updated_at WHERE user_id = 'full1000' AND due IS NULL"""
TASK = json.dumps({"title": "Buy milk, bread and eggs", "description": "Two litres; the dark one; ten of them"})


def first_id(user: str) -> int:
    """The id of a user's first task: they are filled in in that order."""
    users = list(OWNERS)
    return FILLED + sum(OWNERS[before] for before in users[: users.index(user)])


class Route(NamedTuple):
    """A kind of request: `%d` in its path or body goes round `ids` ids from `first` on, `tasks` is a list's length.

    `%u` in the path goes round the numbers of so many `users`, in two digits. `sync` is for what peers lack.
    """

    name: str
    method: str
    path: str
    user: str = ""
    status: int = 200
    body: str = ""
    tasks: int | None = None
    first: int = 0
    ids: int = 1
    users: int = 1
    sync: bool = False

    def path_of(self, number: int) -> str:
        return self.path.replace("%d", str(self.first + number % self.ids)).replace("%u", f"{number % self.users:02}")

    def body_of(self, number: int) -> str:
        return self.body.replace("%d", str(self.first + number % self.ids))

    def user_of(self, number: int) -> str:
        return self.user.replace("%u", f"{number % self.users:02}")


def _on_tasks(name: str, method: str, user: str, path: str = "", body: str = "") -> Route:
    route = Route(name, method, f"/api/{user}/tasks/%d{path}", user, body=body)
    return route._replace(first=first_id(user), ids=OWNERS[user])


def _batch(name: str, user: str, operation: str, first: int) -> Route:
    """A batch of a hundred, in which `%n` counts from `first` on."""
    operations = ",".join(operation.replace("%n", str(first + n)) for n in range(100))
    body = f'{{"operations":[{operations}]}}'
    return Route(name, "POST", f"/api/{user}/tasks/batch", user, body=body, first=ASSIGNED, ids=10**7, sync=True)


ROUTES = {
    route.name: route
    for route in [
        Route("health", "GET", "/health"),
        _on_tasks("one", "GET", "reader"),
        *(Route(f"list{n}", "GET", f"/api/list{n}/tasks", f"list{n}", tasks=n) for n in (20, 100, 1000)),
        Route("full1000", "GET", "/api/full1000/tasks", "full1000", tasks=1000, sync=True),
        Route("create", "POST", "/api/creator/tasks", "creator", 201, TASK),
        _on_tasks("update", "PUT", "writer", body=TASK),
        _on_tasks("toggle", "PATCH", "writer", "/complete"),
        Route("delete", "DELETE", "/api/deleter/tasks/%d", "deleter", 204, first=DELETED, ids=10**9),
        Route("creates", "POST", "/api/user-%u/tasks", "user-%u", 201, TASK, users=USERS),
        Route("poll", "GET", f"/api/reader/tasks/changes?since={2**53 - 1}", "reader", tasks=0, sync=True),
        Route("page1000", "GET", "/api/list1000/tasks/changes?since=1", "list1000", tasks=1000, sync=True),
        _batch("create100", "batches", f'{{"op":"put","key":"k%d-%n","data":{TASK}}}', 100),
        _batch("update100", "writer", '{"op":"put","key":"%n","data":{"title":"%d"}}', first_id("writer")),
    ]
}


def insert(user: str, first: int, count: int) -> str:
    """Tasks whose times never end in a whole second, where implementations write fractions of different lengths."""
    return f"""INSERT INTO tasks (id, user_id, title, description, completed, created_at, updated_at)
        SELECT {first} + n, {user}, 'Buy milk and bread ' || 1000000 + n, 'Two litres of it; the dark one, sliced',
               false, at, at
        FROM generate_series(0, {count} - 1) n,
             LATERAL (SELECT timestamptz '2026-01-01 00:00:00.123456Z' + n * interval '1 minute' AS at) AS time"""


def batches(first: int, count: int) -> Iterator[tuple[int, int]]:
    """The first id of each batch of so many ids, and how many it has."""
    end = first + count
    return ((start, min(BATCH, end - start)) for start in range(first, end, BATCH))


def fill(database: Postgres) -> None:
    for user, count in OWNERS.items():
        database.execute(*(insert(f"'{user}'", *batch) for batch in batches(first_id(user), count)))
    database.execute(f"SELECT setval(pg_get_serial_sequence('tasks', 'id'), {ASSIGNED})", "VACUUM ANALYZE tasks")


def prepare(database: Postgres, route: Route, seconds: int) -> None:
    """Before a round of writes: tasks to delete, and nothing that the last round left for PostgreSQL to tidy up."""
    if route.method == "DELETE":
        for first, size in batches(DELETED, seconds * DELETES_A_SECOND):
            left_over = f"DELETE FROM tasks WHERE id BETWEEN {first} AND {first + size - 1}"
            database.execute(left_over, insert("'deleter'", first, size))
    if route.user == "full1000":
        database.execute(FULL)
    if route.method != "GET" or route.user == "full1000":
        database.execute("VACUUM tasks", "CHECKPOINT")


class Round(NamedTuple):
    """What a request cost: microseconds of CPU of server, PostgreSQL and wrk; how many a second; milliseconds."""

    cpu: float
    postgres: float
    wrk: float
    rate: float
    p50: float
    p99: float


def middle(rounds: list[Round]) -> Round:
    return Round._make(map(median, zip(*rounds, strict=True)))


def wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        sys.exit("wrk sends the load, and it is not installed: apt-get install wrk")
    return found


def check(server: Server, route: Route) -> tuple[int, int]:
    """Read two answers whole, as a client would; the least and the greatest length (a toggle answers true or false)."""
    sizes = []
    with server.service.client(route.user_of(0)) as client:
        for n in range(2):
            number = n if route.sync or route.method == "DELETE" else 0
            response = client.send(route.method, route.path_of(number), route.body_of(number) or None)
            body = response.read()
            if response.status != route.status:
                sys.exit(f"{server.name} answers {route.name} with {response.status}: {body!r}")
            listed = json.loads(body) if route.tasks is not None else []
            if (
                route.tasks is not None
                and len(listed["changes"] if isinstance(listed, dict) else listed) != route.tasks
            ):
                sys.exit(f"{server.name} answers {route.name} with other tasks")
            headers = [f"HTTP/1.1 {response.status} {response.reason}", *map(": ".join, response.getheaders()), ""]
            sizes.append(len("\r\n".join([*headers, ""])) + len(body))
    return min(sizes), max(sizes)


def drive(server: Server, route: Route, seconds: int, postgres_pid: int, connections: int = CONNECTIONS) -> Round:
    """One round of one route. Exits where an answer is wrong."""
    least, most = check(server, route)
    environment = {
        "METHOD": route.method,
        "TARGET": route.path,
        "AUTHORIZATION": "\n".join(bearer(route.user_of(n))["Authorization"] for n in range(route.users)),
        "BODY": route.body,
        "FIRST": str(route.first + (2 if route.sync or route.method == "DELETE" else 0)),  # two went into the check
        "IDS": str(route.ids),
    }
    script = Path(__file__).with_name("load.lua")
    command = [
        wrk(),
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        f"--timeout={PATIENCE_SECONDS}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{server.service.port}",
    ]
    before = cpu_seconds(server.service.pid), cpu_seconds(postgres_pid), sum(os.times()[2:4])
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    after = (
        cpu_seconds(server.service.pid),
        cpu_seconds(postgres_pid),
        sum(os.times()[2:4]),
    )  # of children that ended: wrk
    found = json.loads(output.splitlines()[-1])
    requests, received = found["requests"], found["bytes"]
    if found["failed"] or not requests:
        sys.exit(f"{server.name} failed {found['failed']} of {requests} requests for {route.name}")
    # Those under way at the end may have come in part; and one time in a million is a whole second: hence the 100.
    if not requests * least - 100 <= received <= (requests + connections) * most:
        sys.exit(f"{server.name}: {requests} answers to {route.name}, {least} to {most} bytes each, are {received}")
    spent = [1e6 * (later - earlier) / requests for earlier, later in zip(before, after, strict=True)]
    return Round._make([*spent, requests / found["seconds"], found["p50_ms"], found["p99_ms"]])
