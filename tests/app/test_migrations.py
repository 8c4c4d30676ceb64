"""The migrations make the schema that the models describe, on both databases, also by several processes at once."""

import json
import logging
import os
import subprocess
import sys
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import URL, inspect, text
from sqlalchemy.exc import IntegrityError

from tests.support.apps import make_app, migrated
from tests.support.checkout import ROOT
from tests.support.databases import Postgres
from tests.support.errors import assert_error
from tests.support.tokens import SECRET, bearer
from todo_api.platform.db.engine import db
from todo_api.service import commands as cli


def schema(url: URL) -> dict[str, Any]:
    """Its tables, with everything about them that a migration makes."""
    with make_app(url).app_context(), warnings.catch_warnings():
        # SQLAlchemy does not show SQLite's indexes on expressions, and says so.
        warnings.filterwarnings("ignore", ".* expression-based index")
        found = inspect(db.engine)
        tables = {
            name: {
                "columns": [
                    (column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)
                ],
                "checks": sorted(check["name"] or "" for check in found.get_check_constraints(name)),
                "indexes": {index["name"]: index["column_names"] for index in found.get_indexes(name)},
            }
            for name in found.get_table_names()
        }
        db.engine.dispose()
    return tables


def test_up_and_down_and_up_again(empty_url: URL) -> None:
    app = migrated(make_app(empty_url))
    made = schema(empty_url)
    assert made.keys() == {"alembic_version", "tasks", "task_counters", "task_tombstones"}
    limits = ["description_length", "due_form", "key_form", "priority_range", "tags_number", "title_length"]
    limits.append("user_id_length")
    assert made["tasks"]["checks"] == [f"tasks_{name}" for name in limits]
    order = ["user_id", "created_at", "id"]
    indexes = {f"ix_tasks_{name}": order for name in ("all", "pending", "completed")}
    indexes |= {"ix_tasks_key": ["user_id", "key"], "ix_tasks_priority": ["user_id", "priority", "id"]}
    indexes |= {"ix_tasks_updated": ["user_id", "updated_at", "id"]}
    if empty_url.drivername != "sqlite":
        indexes |= {"ix_tasks_revision": ["user_id", None], "ix_tasks_due": ["user_id", None, "id"]}
    assert made["tasks"]["indexes"] == indexes
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        assert set(schema(empty_url)) == {"alembic_version"}
        flask_migrate.upgrade()
        flask_migrate.upgrade()  # nothing left to do
        assert schema(empty_url) == made


def test_what_a_migration_did_is_said_in_one_sentence(empty_url: URL, capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app(empty_url)
    cli.init_app(app)
    with app.app_context():
        flask_migrate.upgrade(revision="0001")
        flask_migrate.upgrade(revision="0003")
        flask_migrate.upgrade(revision="0003")
        flask_migrate.upgrade(revision="base:0001", sql=True)  # prints statements, and runs none
        flask_migrate.stamp(revision="0004")
        flask_migrate.stamp(revision="0003")
        flask_migrate.downgrade(revision="base")
    assert capsys.readouterr().err.splitlines() == [
        "Migrated the database from empty to 0001",
        "Migrated the database from 0001 to 0003",
        "Stamped the database from 0003 to 0004",
        "Stamped the database from 0004 to 0003",
        "Migrated the database from 0003 to empty",
    ]


def test_statistics_from_before_are_forgotten(postgres: Postgres) -> None:
    with postgres.database() as url:
        app = migrated(make_app(url), "0001")
        with app.app_context():
            with db.engine.begin() as connection:
                columns = "user_id, title, completed, created_at, updated_at"
                connection.execute(text(f"INSERT INTO tasks ({columns}) VALUES ('alice', 'x', false, now(), now())"))
                connection.execute(text("ANALYZE tasks"))
            known = text("SELECT attname FROM pg_stats WHERE tablename = 'tasks' AND attname IN ('user_id', 'title')")
            for left in ({"user_id", "title"}, {"title"}):
                with db.engine.begin() as connection:
                    assert set(connection.execute(known).scalars()) == left
                flask_migrate.upgrade()
            db.engine.dispose()


def test_no_drift_between_models_and_migrations(empty_url: URL) -> None:
    with migrated(make_app(empty_url)).app_context():
        flask_migrate.check()  # exits where it finds any
        with db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE session (id INTEGER PRIMARY KEY)"))
        flask_migrate.check()  # the identity provider may live beside us
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE tasks ADD COLUMN colour TEXT"))
        with pytest.raises(SystemExit):
            flask_migrate.check()
        db.engine.dispose()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"title": ""}, "tasks_title_length"),
        ({"title": "x" * 201}, "tasks_title_length"),
        ({"user_id": ""}, "tasks_user_id_length"),
        ({"user_id": "x" * 256}, "tasks_user_id_length"),
        ({"description": "x" * 1001}, "tasks_description_length"),
        ({"due": "2026-12-1"}, "tasks_due_form"),
        ({"due": "2026-12-01T7:00"}, "tasks_due_form"),
        ({"due": "tomorrow"}, "tasks_due_form"),
        ({"priority": -1}, "tasks_priority_range"),
        ({"priority": 4}, "tasks_priority_range"),
        ({"tags": ["x"] * 21}, "tasks_tags_number"),
        ({"priority": 3, "tags": ["x" * 50] * 20, "due": "2026-12-01T17:00"}, None),
        *[({name: None}, name) for name in ("user_id", "title", "completed", "priority", "created_at", "updated_at")],
        ({"title": "x" * 200, "user_id": "x" * 255, "description": "x" * 1000}, None),
        ({"title": "😀" * 200, "user_id": "😀" * 255, "description": "😀" * 1000}, None),
    ],
    ids=repr,
)  # fmt: skip
def test_the_database_holds_the_limits_by_itself(app: Flask, changes: dict[str, Any], constraint: str | None) -> None:
    with app.app_context(), db.engine.execution_options(isolation_level="SERIALIZABLE").connect() as connection:
        at: Any = 0
        if connection.dialect.name == "postgresql":
            at = datetime(2026, 1, 16)
            # Past the columns' own lengths, down to the constraints.
            for table, name in (
                ("tasks", "user_id"),
                ("tasks", "title"),
                ("tasks", "description"),
                ("task_counters", "user_id"),
            ):
                connection.execute(text(f"ALTER TABLE {table} ALTER {name} TYPE text"))
        values = {
            "user_id": "alice",
            "title": "x",
            "description": None,
            "completed": False,
            "created_at": at,
            "updated_at": at,
            **changes,
        }
        statement = text(f"INSERT INTO tasks ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})")
        if connection.dialect.name == "sqlite" and values.get("tags"):
            values["tags"] = json.dumps(values["tags"])
        if constraint is None:
            connection.execute(statement, values)
        else:
            with pytest.raises(IntegrityError, match=constraint):
                connection.execute(statement, values)
        connection.rollback()
        db.engine.dispose()


# Four times the command, in processes that have everything imported and start it together.
AT_ONCE = """
import multiprocessing, sys
from flask.cli import main
import wsgi, alembic.command

def upgrade():
    start.wait()
    sys.argv = ["flask", "--app", "wsgi", "db", "upgrade"]
    main()

fork = multiprocessing.get_context("fork")
start = fork.Barrier(4)
processes = [fork.Process(target=upgrade) for _ in range(4)]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(str([process.exitcode for process in processes]))
"""


def test_four_processes_that_migrate_at_once_all_succeed(empty_url: URL) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": empty_url.render_as_string(hide_password=False),
        "BETTER_AUTH_SECRET": SECRET,
    }
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "[0, 0, 0, 0]", done.stderr
    assert "tasks" in schema(empty_url)


def test_without_a_schema_it_answers_503_and_names_the_command_in_one_line(
    empty_url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(empty_url)
    client = app.test_client()
    headers = bearer("alice")
    operations = [("GET", ""), ("POST", ""), ("GET", "/1"), ("PUT", "/1"), ("DELETE", "/1"), ("PATCH", "/1/complete")]
    for number, (method, path) in enumerate(operations, 1):
        with caplog.at_level(logging.WARNING):
            response = client.open(f"/api/alice/tasks{path}", method=method, json={"title": "x"}, headers=headers)
        assert_error(response, 503, "Service Unavailable")
        assert response.headers["Retry-After"] == "1"
        named = ["flask --app wsgi db upgrade" in record.getMessage() for record in caplog.records]
        assert named == [True] * len(named)
        assert 1 <= len(named) <= number
    assert client.get("/health").status_code == 200
    assert client.get("/health/db").json == {"status": "unhealthy", "database": "disconnected"}
    assert schema(empty_url) == {}  # neither the factory nor a request has made a table
    migrated(app)
    assert client.get("/api/alice/tasks", headers=headers).json == []
    with app.app_context():
        db.engine.dispose()


def test_sqlite_writes_ahead_from_the_migration_on(tmp_path: Path) -> None:
    url = URL.create("sqlite", database=str(tmp_path / "deep" / "er" / "todo.db"))
    migrated(make_app(url))
    with (tmp_path / "deep" / "er" / "todo.db").open("rb") as file:
        assert file.read(20)[18:20] == b"\x02\x02"  # the file format's write and read version for WAL
