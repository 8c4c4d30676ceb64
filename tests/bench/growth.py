"""Does a page cost more where the user has many tasks, and the table more still?"""

from typing import Any

from tests.bench import servers
from tests.bench.routes import Round, Route, drive, insert, middle
from tests.bench.servers import Conditions, Server
from tests.support.databases import Postgres

# A page of two makes a hundred pages of two hundred tasks; one task more, so that the hundredth links on as well.
LIMIT, PAGE = 2, 100
SIZES = {"small": (200 + 1, 1_000), "large": (100_000, 1_000_000)}


def measure(postgres: Postgres, conditions: Conditions, rounds: int, seconds: int) -> dict[str, Any]:
    """The first page and the hundredth of a list, of one with a status and of the changes: few tasks, and many."""
    found: dict[str, Any] = {}
    with (
        postgres.database() as small_url,
        postgres.database() as large_url,
        servers.service(small_url, conditions, name="small") as small,
        servers.service(large_url, conditions, name="large") as large,
    ):
        for server, url in ((small, small_url), (large, large_url)):
            tasks, table = SIZES[server.name]
            every = table // tasks  # the user's tasks lie among those of others, as in life
            owner = f"CASE WHEN n % {every} = 0 AND n / {every} < {tasks} THEN 'alice' ELSE 'other-' || n % 5000 END"
            # Like tasks from before there were revisions: a million by trigger would take long.
            Postgres(url).execute(
                "ALTER TABLE tasks DISABLE TRIGGER USER",
                insert(owner, 1_000_000, table),
                "ALTER TABLE tasks ENABLE TRIGGER USER",
                "INSERT INTO task_counters (user_id, revision) SELECT user_id, max(id) FROM tasks GROUP BY user_id",
                "VACUUM ANALYZE tasks",
            )
        for listed in ("tasks?status=all", "tasks?status=pending", "tasks/changes?since=1"):
            pages = {server: first_and_later(server, listed) for server in (small, large)}
            for at, number in enumerate((1, PAGE)):
                of_server: dict[str, list[Round]] = {"small": [], "large": []}
                for _ in range(rounds):
                    for server, routes in pages.items():
                        of_server[server.name].append(drive(server, routes[at], seconds, postgres.server_pid()))
                few, many = middle(of_server["small"]), middle(of_server["large"])
                ratios = [many.cpu / few.cpu, many.postgres / few.postgres, many.p50 / few.p50]
                print(
                    f"{listed}, page {number:3}: large/small CPU {ratios[0]:.2f}, PostgreSQL's {ratios[1]:.2f}", end=""
                )
                print(f" ({few.postgres:.0f} and {many.postgres:.0f} µs), p50 {ratios[2]:.2f}", flush=True)
                found[f"{listed} {number}"] = {"small": few._asdict(), "large": many._asdict()}
    return found


def first_and_later(server: Server, listed: str) -> tuple[Route, Route]:
    path, sync = f"/api/alice/{listed}&limit={LIMIT}", "changes" in listed
    first = Route("page", "GET", path, "alice", tasks=LIMIT, sync=sync)
    page = first
    with server.service.client("alice") as client:
        for _ in range(PAGE - 1):
            link = client.request("GET", page.path).headers["Link"]
            page = page._replace(path=link.partition("<")[2].partition(">")[0])
    return first, page
