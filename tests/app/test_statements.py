"""What reaches the database: one statement an operation, and index scans for every list, however deep the page."""

import re
import sqlite3
from collections.abc import Iterator
from itertools import product
from typing import Any

import flask_migrate
import psycopg2.extensions
import pytest
from flask import Flask
from sqlalchemy import URL, text

from tests.support.apps import client_for, make_app, migrated
from tests.support.checkout import partitioning
from tests.support.databases import Postgres
from tests.support.tasks import TASKS
from todo_api.platform.db.engine import db

LISTS = ["", "status=all", "status=pending", "status=completed"]
# Many tasks are written in transactions of a thousand: in each, PostgreSQL walks through all versions of a counter.
STEPS = [(first, first + 999) for first in range(1, 20_001, 1000)]


class Recorded:
    """An app's client for alice, and every statement that its driver is given, with its values."""

    def __init__(self, url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on_sqlite = url.drivername == "sqlite"
        self.app: Flask = make_app(url)
        self.client = client_for(self.app, "alice")
        with self.app.app_context():
            self._connection = db.engine.connect()  # for what is not recorded
        self.statements: list[str] = []
        statements = self.statements
        driver: Any = sqlite3 if self.on_sqlite else psycopg2
        connect = driver.connect

        class Recording(psycopg2.extensions.cursor):
            def execute(self, *args: Any) -> None:
                super().execute(*args)
                statements.append(self.query.decode())

        def recording(*args: Any, **options: Any) -> Any:
            if not self.on_sqlite:
                return connect(*args, **options, cursor_factory=Recording)
            connection = connect(*args, **options)
            # A statement comes again for each that its triggers run.
            connection.set_trace_callback(lambda sql: statements[-1:] == [sql] or statements.append(sql))
            return connection

        monkeypatch.setattr(driver, "connect", recording)
        self.client.get(TASKS)  # connects

    def execute(self, *statements: str) -> list[str]:
        """The last one's rows as text."""
        with self._connection.begin():
            results = [self._connection.execute(text(sql.replace(":", "\\:"))) for sql in statements]
            return [" ".join(map(str, row)) for row in results[-1]] if results[-1].returns_rows else []

    def close(self) -> None:
        self._connection.close()

    def plan(self, number: int = -1) -> str:
        """How the database goes about the last statement it was given, or another."""
        # What stands before the statement sets how it is planned, and locks.
        before, separator, statement = self.statements[number].rpartition("; ")
        explain = "EXPLAIN QUERY PLAN" if self.on_sqlite else "EXPLAIN"
        return "\n".join(self.execute(f"{before}{separator}{explain} {statement}"))


@pytest.fixture
def recorded(database_url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    recorded = Recorded(database_url, monkeypatch)
    yield recorded
    if not recorded.on_sqlite:  # where many rows take long to delete one by one
        recorded.execute("TRUNCATE tasks, task_tombstones")
    recorded.close()


def fill(recorded: Recorded, completed: str = "n % 20 = 0", **more: str) -> None:
    """20,000 tasks of 10 users, of each of whom two share a time; `more` are other columns' values."""
    owner = "CASE n % 10 WHEN 0 THEN 'alice' ELSE 'user ' || n % 10 END"
    since = "timestamptz '2023-11-14 22:13:20Z' + interval '0.5 s' * (n / 20)"
    at = "1700000000000000 + 500000 * (n / 20)" if recorded.on_sqlite else since
    columns = ", ".join(["user_id, title, completed, created_at, updated_at", *more])
    values = ", ".join([owner, repr("x"), completed, at, at, *more.values()])
    for first, last in STEPS:
        numbers = f"SELECT {first - 1} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last - 1}"
        recorded.execute(
            f"INSERT INTO tasks ({columns}) WITH RECURSIVE numbers(n) AS ({numbers}) SELECT {values} FROM numbers"
        )
    recorded.execute("ANALYZE tasks")


def assert_index_scans(recorded: Recorded, query: str) -> None:
    """The first page and a deep one come from an index in its order: nothing is sorted, nothing filtered out."""
    for limit, cursor in product(("&limit=5", ""), ("", "&cursor=1700000400000000_9999999")):
        response = recorded.client.get(f"{TASKS}?{query}{limit}{cursor}")
        assert len(response.json) >= 5
        plan = recorded.plan()
        assert "Index Scan Backward using" in plan or "SEARCH tasks USING INDEX" in plan
        for word in ("Sort", "Seq Scan", "Bitmap", "Filter", "TEMP B-TREE", "SCAN tasks"):
            assert word not in plan, plan
        if recorded.on_sqlite:
            status = query.partition("=")[2] or "all"
            after = " AND created_at<?" if cursor else ""
            assert plan.endswith(f"USING INDEX ix_tasks_{status} (user_id=?{after})")
        elif cursor:  # a position in the index, not a condition on what is read from it
            assert "AND (ROW(created_at, id) < ROW(" in plan


ORDERS = {
    "created": ("ix_tasks_all", "1700000001000000_1"),
    "due": ("ix_tasks_due", "1066268971_5"),
    "-priority": ("ix_tasks_priority", "3_10000"),
    "-updated": ("ix_tasks_updated", "1700000400000000_9999999"),
}
# Rows that a filter leaves out are looked at, but only the user's own.
FILTERS = ["", "&status=pending", "&status=completed", "&tag=rare", "&priority=3", "&due_from=2026-12-05"]


def fill_richly(recorded: Recorded) -> None:
    rare, none = ("'[\"rare\"]'", "'[]'") if recorded.on_sqlite else ("'{rare}'::varchar[]", "'{}'::varchar[]")
    fill(
        recorded,
        priority="n / 10 % 4",
        due="CASE n / 10 % 3 WHEN 0 THEN NULL ELSE '2026-12-0' || (1 + n / 10 % 7) END",
        tags=f"CASE n / 10 % 10 WHEN 1 THEN {rare} ELSE {none} END",
    )


def test_every_order_reads_its_index_on_first_and_on_deep_pages(recorded: Recorded) -> None:
    fill_richly(recorded)
    for sort, query, limit, after in product(ORDERS, FILTERS, ("&limit=5", ""), (False, True)):
        index, cursor = ORDERS[sort]
        position = f"&cursor={cursor}" if after else ""
        assert len(recorded.client.get(f"{TASKS}?sort={sort}{query}{limit}{position}").json) >= 5
        plan = recorded.plan()
        expected = f"ix_tasks_{query.partition('=')[2]}" if sort == "created" and "status" in query else index
        assert re.search(rf"(Index Scan( Backward)? using|SEARCH tasks USING INDEX) {expected}\b", plan), plan
        for word in ("Sort", "Seq Scan", "Bitmap", "TEMP B-TREE", "SCAN tasks"):
            assert word not in plan, plan
        if after and not recorded.on_sqlite:  # a position in the index, not a condition on what is read from it
            assert re.search(r"Index Cond: .*ROW\(", plan), plan


def test_a_filter_looks_at_the_users_own_tasks_alone(recorded: Recorded) -> None:
    fill_richly(recorded)
    for query in ("tag=rare", "tag=none", "priority=3", "due_to=2026-12-01", "tag=rare&priority=1"):
        recorded.client.get(f"{TASKS}?{query}")
        plan = recorded.plan()
        assert re.search(r"Index Cond: .*user_id|SEARCH tasks USING INDEX \w+ \(user_id=\?\)", plan), plan


# Also where nearly all tasks have one status, which makes the index of all tasks look as good.
@pytest.mark.parametrize("completed", ["n % 20 = 0", "n % 800 = 0", "n % 800 <> 0"])
def test_every_list_reads_an_index_in_its_order(recorded: Recorded, completed: str) -> None:
    fill(recorded, completed)
    for query in LISTS:
        assert_index_scans(recorded, query)


def assert_found_by_the_key(recorded: Recorded) -> None:
    """The operations on one task do not go through its user's others, also where nothing is known of that user."""
    fill(recorded)  # of which alice has a tenth
    recorded.execute("UPDATE tasks SET user_id = 'user 1' WHERE user_id = 'alice'", "ANALYZE tasks")
    for first, last in STEPS:
        recorded.execute(f"UPDATE tasks SET user_id = 'alice' WHERE id % 2 = 0 AND id BETWEEN {first} AND {last}")
    operations = [("GET", ""), ("PUT", ""), ("PATCH", "/complete"), ("DELETE", "")]
    for method, path in operations:
        body = {"title": "y"} if method == "PUT" else None
        assert recorded.client.open(f"{TASKS}/10000{path}", method=method, json=body).status_code in {200, 204}
        plan = recorded.plan()
        assert "_pkey" in plan or "USING INTEGER PRIMARY KEY" in plan, plan


def test_one_task_is_found_by_its_key_whatever_is_known_of_its_user(recorded: Recorded) -> None:
    assert_found_by_the_key(recorded)
    if not recorded.on_sqlite:
        assert recorded.execute("SELECT attname FROM pg_stats WHERE attname = 'user_id'") == []


def test_a_batch_finds_its_tasks_by_their_keys_whatever_is_known_of_their_user(recorded: Recorded) -> None:
    fill(recorded)
    for first, last in STEPS:
        step = f"id BETWEEN {first} AND {last}"
        recorded.execute(f"UPDATE tasks SET user_id = 'alice', key = 'key-' || id WHERE id % 2 = 0 AND {step}")
        recorded.execute(f"DELETE FROM tasks WHERE user_id = 'alice' AND id % 4 = 0 AND {step}")
    recorded.execute("ANALYZE task_tombstones")
    operations = [{"op": "put", "key": f"key-{number}", "data": {"title": "y"}} for number in range(200, 300)]
    recorded.statements.clear()
    results = recorded.client.post(f"{TASKS}/batch", json={"operations": operations}).json["results"]
    assert {result["status"] for result in results} == {200, 201, 410}
    reads = r"SELECT .*FROM (tasks|task_tombstones)\b"
    statements = [number for number, sql in enumerate(recorded.statements) if re.search(reads, sql, re.DOTALL)]
    assert len(statements) == 2
    for number in statements:
        assert re.search(r"(using|USING INDEX) ix_task(s|_tombstones)_key\b", plan := recorded.plan(number)), plan
        assert not re.search(r"Filter: .*= ANY", plan), plan


OPERATIONS: list[tuple[str, str, Any, int]] = [
    ("GET", "", None, 200),
    ("GET", "?status=completed&limit=1&cursor=1_1", None, 200),
    ("GET", "/changes?since=9007199254740991", None, 200),
    ("POST", "", {"title": "x"}, 201),
    ("POST", "", {"title": "x", "key": "k"}, 201),
    ("GET", "/1", None, 200),
    ("GET", "/999", None, 404),
    ("PUT", "/1", {"title": "y"}, 200),
    ("PUT", "/1", {"title": "y", "description": None, "completed": True}, 200),
    ("PUT", "/1", {}, 200),
    ("PUT", "/999", {"title": "y"}, 404),
    ("PATCH", "/1/complete", None, 200),
    ("PATCH", "/999/complete", None, 404),
    ("DELETE", "/999", None, 404),
    ("DELETE", "/1", None, 204),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), OPERATIONS)
def test_an_operation_is_one_statement(recorded: Recorded, method: str, path: str, body: Any, status: int) -> None:
    recorded.client.post(TASKS, json={"title": "x"})
    recorded.statements.clear()
    assert recorded.client.open(TASKS + path, method=method, json=body).status_code == status
    assert len(recorded.statements) == 1, recorded.statements
    assert "alice" in recorded.statements[0]  # it starts from the owner


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{TASKS}/0", 404), (f"{TASKS}/{2**63}", 404), (f"{TASKS}/x", 422), (f"{TASKS}?limit=0", 422), ("/health", 200),
     ("/x", 404), ("/api/bob/tasks", 403), ("/openapi.json", 200)],
)  # fmt: skip
def test_what_needs_no_database_does_not_ask_it(recorded: Recorded, path: str, status: int) -> None:
    recorded.statements.clear()
    assert recorded.client.get(path).status_code == status
    assert recorded.statements == []


CONDITIONAL: list[tuple[str, str, Any, dict[str, str], int]] = [
    ("GET", "/1", None, {"If-None-Match": "*"}, 304),
    ("PUT", "/1", {"title": "y"}, {"If-Match": "{tag}"}, 200),
    ("PUT", "/1", {"title": "y"}, {"If-Match": "*"}, 200),
    ("PATCH", "/1/complete", None, {"If-Match": '"5", {tag}'}, 200),
    ("DELETE", "/1", None, {"If-Match": "{tag}"}, 204),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), CONDITIONAL)
def test_a_condition_that_holds_costs_no_statement_more(
    recorded: Recorded, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    tag = recorded.client.post(TASKS, json={"title": "x"}).headers["ETag"]
    recorded.statements.clear()
    sent = {name: value.format(tag=tag) for name, value in headers.items()}
    assert recorded.client.open(TASKS + path, method=method, json=body, headers=sent).status_code == status
    assert len(recorded.statements) == 1, recorded.statements


def test_a_page_of_changes_is_one_statement_after_the_counter(recorded: Recorded) -> None:
    recorded.client.post(TASKS, json={"title": "x"})
    recorded.statements.clear()
    assert len(recorded.client.get(f"{TASKS}/changes").json["changes"]) == 1
    assert len(recorded.statements) == 2, recorded.statements


def test_a_batch_is_few_statements_however_many_operations_it_has(recorded: Recorded) -> None:
    def statements_of(*operations: dict[str, Any]) -> int:
        recorded.statements.clear()
        assert recorded.client.post(f"{TASKS}/batch", json={"operations": operations}).status_code == 200
        return len(recorded.statements)

    def of_each_kind(count: int, name: str) -> list[dict[str, Any]]:
        keys = [f"{name}-{number}" for number in range(count)]
        return [
            *({"op": "put", "key": key, "data": {"title": "x"}} for key in keys),
            *({"op": "put", "key": f"known-{key}", "data": {"title": name}} for key in keys),
            *({"op": "delete", "key": f"gone-{key}"} for key in keys),
        ]

    for count, name in ((1, "a"), (33, "b")):
        for known in ("known", "gone"):
            keys = [f"{known}-{name}-{number}" for number in range(count)]
            statements_of(*({"op": "put", "key": key, "data": {"title": "x"}} for key in keys))
    assert statements_of(*of_each_kind(1, "a")) == statements_of(*of_each_kind(33, "b")) <= 12


def test_the_feed_reads_indexes_in_its_order_on_first_and_on_deep_pages(recorded: Recorded) -> None:
    fill(recorded)
    recorded.execute("DELETE FROM tasks WHERE user_id = 'alice' AND id % 3 = 0", *ANALYZE_ALL)
    changes = recorded.client.get(f"{TASKS}/changes").json["changes"]
    for since in (1, changes[-200]["revision"]):
        for limit in ("&limit=5", ""):
            page = recorded.client.get(f"{TASKS}/changes?since={since}{limit}").json["changes"]
            assert len(page) >= 5
            plan = recorded.plan()
            for index in ("ix_tasks_revision", "ix_task_tombstones_revision"):
                assert re.search(rf"(Index Scan using|USING( COVERING)? INDEX) {index}\b", plan), plan
            for word in ("Seq Scan", "Bitmap", "SCAN tasks", "SCAN task_tombstones"):
                assert word not in plan, plan
            if recorded.on_sqlite:
                assert "MERGE (UNION ALL)" in plan
                assert "ix_tasks_revision (user_id=? AND <expr>>?)" in plan
                assert plan.count("TEMP B-TREE") == 3  # of each part's page, and of what is answered
            else:
                assert "Merge Append" in plan
                assert plan.count("Sort  (") <= 1, plan  # of the page


ANALYZE_ALL = ("ANALYZE tasks", "ANALYZE task_tombstones", "ANALYZE task_counters")


def test_the_readmes_partitions_serve_the_same_operations(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres.database() as url:
        app = migrated(make_app(url))
        recorded = Recorded(url, monkeypatch)
        kept = [recorded.client.post(TASKS, json={"title": "before"}).json for _ in range(2)]
        recorded.client.delete(f"{TASKS}/2")
        Postgres(url).execute(partitioning())

        [parts] = recorded.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'tasks'::regclass")
        assert parts == "4"
        assert recorded.client.get(TASKS).json == [kept[0]]
        response = recorded.client.post(TASKS, json={"title": "after"})
        task = response.json
        assert (response.status_code, task["id"] > 2) == (201, True)
        assert recorded.client.get(f"{TASKS}?limit=1").json == [task]
        link = recorded.client.get(f"{TASKS}?limit=1").headers["Link"].removeprefix("<").partition(">")[0]
        assert recorded.client.get(link).json == [kept[0]]
        assert recorded.client.put(f"{TASKS}/{task['id']}", json={"title": "y"}).json["title"] == "y"
        toggled = recorded.client.patch(f"{TASKS}/{task['id']}/complete").json
        assert (toggled["completed"], toggled["updated_at"] > task["updated_at"]) == (True, True)
        assert recorded.client.get(f"{TASKS}?status=completed").json == [toggled]
        assert recorded.client.post(TASKS, json={"title": ""}).status_code == 422
        assert recorded.client.delete(f"{TASKS}/{task['id']}").status_code == 204
        assert recorded.client.get(f"{TASKS}/{task['id']}").status_code == 404
        for status in ("pending", "completed"):
            recorded.client.get(f"{TASKS}?status={status}")
        fill(recorded)
        for query in LISTS:
            assert_index_scans(recorded, query)
        recorded.execute("TRUNCATE tasks RESTART IDENTITY")
        assert_found_by_the_key(recorded)
        assert recorded.client.get("/health/db").status_code == 200
        recorded.close()
        with app.app_context():
            flask_migrate.check()
            db.engine.dispose()
