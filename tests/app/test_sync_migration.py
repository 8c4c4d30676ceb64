"""The migration to sync: tasks from before stay as they are, and nobody waits for it."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import flask_migrate
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, text

from migrations import online
from tests.support.apps import client_for, make_app, migrated
from tests.support.checkout import partitioning
from tests.support.databases import Postgres
from tests.support.tasks import TASKS
from tests.support.waiting import wait_until
from todo_api.platform.db.engine import db

INSERT = (
    "INSERT INTO tasks (user_id, title, completed, created_at, updated_at)"
    " VALUES ('{user}', '{title}', false, {at}, {at})"
)


@contextmanager
def at_0002(url: URL) -> Iterator[tuple[Flask, FlaskClient]]:
    """An app whose database is as version 1.0 has it."""
    app = migrated(make_app(url), "0002")
    yield app, client_for(app, "alice")
    with app.app_context():
        db.engine.dispose()


def upgrade(app: Flask) -> None:
    with app.app_context():
        flask_migrate.upgrade()


def insert(app: Flask, *titles: str, user: str = "alice") -> None:
    with app.app_context(), db.engine.begin() as connection:
        at = "0" if connection.dialect.name == "sqlite" else "now()"
        for title in titles:
            connection.execute(text(INSERT.format(user=user, title=title, at=at)))


def feed(client: FlaskClient, since: int = 0) -> dict[str, Any]:
    response = client.get(f"{TASKS}/changes?since={since}")
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json
    return body


def test_a_task_from_before_has_its_id_as_key_and_as_revision(empty_url: URL) -> None:
    with at_0002(empty_url) as (app, alice):
        insert(app, "one", "two", "three")
        insert(app, "other", user="bob")
        upgrade(app)
        tasks = alice.get(TASKS).json
        assert [(task["id"], task["key"], task["revision"]) for task in tasks] == [(i, str(i), i) for i in (3, 2, 1)]
        assert alice.get(f"{TASKS}/2").headers["ETag"] == '"2"'
        assert feed(alice) == {"changes": tasks[::-1], "next": 3, "has_more": False}
        assert client_for(app, "bob").get("/api/bob/tasks/changes").json["next"] == 4
        changed = alice.put(f"{TASKS}/2", json={"title": "new"}, headers={"If-Match": '"2"'}).json
        assert changed["revision"] > 10**12
        assert feed(alice, 3)["changes"] == [changed]
        alice.delete(f"{TASKS}/1")
        assert [change["key"] for change in feed(alice, changed["revision"])["changes"]] == ["1"]
        batch = {"operations": [{"op": "put", "key": "3", "data": {"completed": True}, "if_match": 3}]}
        assert [each["status"] for each in alice.post(f"{TASKS}/batch", json=batch).json["results"]] == [200]


def test_down_and_up_again_keeps_the_tasks_and_serves_old_checkpoints(empty_url: URL) -> None:
    with at_0002(empty_url) as (app, alice):
        insert(app, "one")
        upgrade(app)
        alice.post(TASKS, json={"title": "two", "key": "k"})
        checkpoint = feed(alice)["next"]
        with app.app_context():
            flask_migrate.downgrade(revision="0002")
        insert(app, "three")
        upgrade(app)
        assert [(task["title"], task["key"]) for task in alice.get(TASKS).json if task["title"] != "three"] == [
            ("two", "2"),
            ("one", "1"),
        ]
        changed = alice.patch(f"{TASKS}/1/complete").json
        assert feed(alice, checkpoint)["changes"] == [changed]


def test_no_row_is_rewritten(postgres: Postgres) -> None:
    with postgres.database() as url, at_0002(url) as (app, _):
        insert(app, "one", "two")
        before = Postgres(url).query("SELECT id, xmin, ctid FROM tasks")
        upgrade(app)
        assert Postgres(url).query("SELECT id, xmin, ctid FROM tasks") == before


def test_a_migration_that_failed_is_repeated(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres.database() as url, at_0002(url) as (app, alice):
        insert(app, "one", "two")
        database = Postgres(url)
        # A key that is there twice leaves an index that is not valid, as any failure while it is made would.
        database.execute("ALTER TABLE tasks ADD COLUMN key varchar(64)", "UPDATE tasks SET key = 'x'")
        make_index = "CREATE UNIQUE INDEX CONCURRENTLY ix_tasks_key ON tasks (user_id, key) WHERE key IS NOT NULL"
        with pytest.raises(psycopg2.errors.UniqueViolation):
            database.execute(make_index)
        with pytest.raises(Exception, match="could not create unique index"):
            upgrade(app)
        database.execute("UPDATE tasks SET key = NULL WHERE id = 1")
        upgrade(app)
        assert database.query("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'tasks'::regclass") == [
            (True,)
        ]
        # The update has given them revisions: the triggers were there already.
        assert [task["key"] for task in feed(alice)["changes"]] == ["x", "1"]
        assert alice.post(TASKS, json={"title": "other", "key": "x"}).status_code == 200


def test_a_writer_that_holds_the_table_keeps_the_migration_waiting_and_nobody_else(postgres: Postgres) -> None:
    with postgres.database() as url, at_0002(url) as (app, alice):
        insert(app, "one")
        slowest = 0.0
        with (
            ThreadPoolExecutor(1) as executor,
            Postgres(url).connection() as holder,
            Postgres(url).connection() as other,
        ):
            holder.autocommit = False
            holder.cursor().execute("UPDATE tasks SET title = 'held'")
            migration = executor.submit(upgrade, app)
            began = time.monotonic()
            while time.monotonic() < began + 3:
                start = time.monotonic()
                other.cursor().execute(INSERT.format(user="bob", title="x", at="now()"))
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(0.01)
            assert not migration.done()
            holder.commit()
            migration.result(30)
        assert slowest < 2
        # What was written before the triggers were there is known as well.
        assert feed(alice)["next"] == 1
        assert len(client_for(app, "bob").get("/api/bob/tasks/changes").json["changes"]) > 10


@pytest.fixture
def busy_autovacuum(postgres: Postgres) -> Iterator[None]:
    """It looks for work every second, not every minute."""
    postgres.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'", "SELECT pg_reload_conf()")
    yield
    postgres.execute("ALTER SYSTEM RESET autovacuum_naptime", "SELECT pg_reload_conf()")


@pytest.mark.usefixtures("busy_autovacuum")
def test_an_autovacuum_makes_way_for_the_migration(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online, "TRIES", 5)
    with postgres.database() as url, at_0002(url) as (app, alice):
        database = Postgres(url)
        insert = (
            INSERT.partition("VALUES")[0] + "SELECT 'alice', 'x', false, now(), now() FROM generate_series(1, 9000)"
        )
        # So slow that it would take minutes.
        slow = "SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
        database.execute(f"ALTER TABLE tasks {slow}", insert, "UPDATE tasks SET completed = true")
        working = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        working += " AND query LIKE 'autovacuum: VACUUM%public.tasks'"
        [(worker,)] = wait_until(lambda: database.query(working), 30)
        upgrade(app)
        assert (worker,) not in database.query(working)
        assert len(feed(alice)["changes"]) == 1000


def test_a_table_partitioned_before_is_upgraded(postgres: Postgres) -> None:
    of_sync = r"CREATE (UNIQUE INDEX ix_tasks_key|INDEX ix_tasks_(due|priority|updated|revision)|TRIGGER)[^;]*;\n"
    before_sync = re.sub(of_sync, "", partitioning())
    assert before_sync.count("CREATE INDEX") == 3
    with postgres.database() as url, at_0002(url) as (app, alice):
        insert(app, "one", "two")
        Postgres(url).execute(before_sync)
        upgrade(app)
        assert [task["revision"] for task in feed(alice)["changes"]] == [1, 2]
        insert(app, "by 1.0")
        alice.post(TASKS, json={"title": "x", "key": "k"})
        assert alice.post(TASKS, json={"title": "x", "key": "k"}).status_code == 200
        alice.delete(f"{TASKS}/1")
        assert [change.get("title") for change in feed(alice, 2)["changes"]] == ["by 1.0", "x", None]
        with app.app_context():
            flask_migrate.check()
