"""Revisions: each change of a user's tasks takes the user's next one, whoever makes it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.tasks import TASKS
from todo_api.platform.db.engine import db

# What a server of version 1.0 sends, with the parameters of each database's driver.
WRITES_OF_1_0 = {
    "create": "INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at) VALUES "
    "(:user_id, :title, NULL, :completed, :now, :now) RETURNING id",
    "update": "UPDATE tasks SET title = :title, updated_at = :now WHERE user_id = :user_id AND id = 1 RETURNING id",
    "toggle": "UPDATE tasks SET completed = NOT completed, updated_at = :now WHERE user_id = :user_id AND id = 1 "
    "RETURNING id",
    "delete": "DELETE FROM tasks WHERE user_id = :user_id AND id = 1 RETURNING id",
}


def execute(app: Flask, statement: str, **parameters: Any) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(statement), parameters)


def by_1_0(app: Flask, name: str) -> None:
    now = 1_768_557_600_000_000 if db_kind(app) == "sqlite" else "2026-01-16T10:00:00Z"
    wanted = {"user_id": "alice", "title": "from 1.0", "completed": False, "now": now}
    statement = WRITES_OF_1_0[name]
    execute(app, statement, **{key: value for key, value in wanted.items() if f":{key}" in statement})


def db_kind(app: Flask) -> str:
    return str(app.config["SQLALCHEMY_DATABASE_URI"].get_backend_name())


def counter(client: FlaskClient) -> int:
    """The user's last revision."""
    return int(client.get(f"{TASKS}/changes").json["next"])


def batch(client: FlaskClient, *operations: dict[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = client.post(f"{TASKS}/batch", json={"operations": operations}).json["results"]
    return results


def test_every_change_takes_a_higher_revision(alice: FlaskClient) -> None:
    revisions = [alice.post(TASKS, json={"title": "x"}).json["revision"]]
    assert abs(revisions[0] - time.time() * 1000) < 60_000
    bodies = ({"title": "y"}, {"title": "y"}, {"description": None})
    revisions += [alice.put(f"{TASKS}/1", json=body).json["revision"] for body in bodies]
    revisions += [alice.patch(f"{TASKS}/1/complete").json["revision"] for _ in range(2)]
    revisions.append(alice.post(TASKS, json={"title": "x", "key": "k"}).json["revision"])
    put, put_again = [{"op": "put", "key": "k", "data": {"title": title}} for title in ("y", "z")]
    revisions += [result["task"]["revision"] for result in batch(alice, put, put_again)]
    alice.delete(f"{TASKS}/1")
    revisions.append(alice.get(f"{TASKS}/changes?since=1").json["changes"][-1]["revision"])
    revisions += [result["task"]["revision"] for result in batch(alice, {"op": "delete", "key": "k"})]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] == counter(alice) < 2**53


def test_what_changes_nothing_takes_no_revision(alice: FlaskClient, bob: FlaskClient) -> None:
    task = alice.post(TASKS, json={"title": "x", "key": "k"}).json
    before = counter(alice)
    stale = {"If-Match": '"5"'}
    assert [
        alice.put(f"{TASKS}/1", json={}).status_code,
        alice.post(TASKS, json={"title": "other", "key": "k"}).status_code,
        alice.post(TASKS, json={"title": ""}).status_code,
        alice.put(f"{TASKS}/2", json={"title": "x"}).status_code,
        alice.patch(f"{TASKS}/2/complete").status_code,
        alice.delete(f"{TASKS}/2").status_code,
        alice.put(f"{TASKS}/1", json={"title": "other"}, headers=stale).status_code,
        alice.put(f"{TASKS}/1", json={"title": "x"}, headers=stale).status_code,
        alice.patch(f"{TASKS}/1/complete", headers=stale).status_code,
        alice.delete(f"{TASKS}/1", headers=stale).status_code,
        *(
            result["status"]
            for result in batch(
                alice,
                {"op": "put", "key": "k", "data": {"title": "x"}},
                {"op": "put", "key": "k", "data": {"title": "y"}, "if_match": 5},
                {"op": "put", "key": "unknown", "data": {}},
                {"op": "put", "key": "999", "data": {"title": "x"}},
                {"op": "delete", "key": "unknown"},
                {"op": "delete", "key": "k", "if_match": 5},
            )
        ),
        bob.post("/api/bob/tasks", json={"title": "x", "key": "k"}).status_code,
    ] == [200, 200, 422, 404, 404, 404, 412, 200, 412, 412, 200, 412, 422, 404, 204, 412, 201]
    assert counter(alice) == before
    assert alice.get(f"{TASKS}/1").json == task


def test_revisions_go_on_where_the_clock_stands_behind_the_counter(app: Flask, alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x"})
    ahead = 2**53 - 100
    execute(app, "UPDATE task_counters SET revision = :ahead", ahead=ahead)
    assert alice.post(TASKS, json={"title": "y"}).json["revision"] == ahead + 1
    assert alice.patch(f"{TASKS}/1/complete").json["revision"] == ahead + 2
    assert batch(alice, {"op": "delete", "key": "2"})[0]["task"]["revision"] == ahead + 3
    assert alice.delete(f"{TASKS}/1").status_code == 204
    assert [change["revision"] for change in alice.get(f"{TASKS}/changes?since={ahead}").json["changes"]] == [
        ahead + 3,
        ahead + 4,
    ]


@pytest.mark.parametrize("write", ["create", "update", "toggle"])
def test_a_change_made_by_a_server_of_1_0_is_in_the_feed(app: Flask, alice: FlaskClient, write: str) -> None:
    before = alice.post(TASKS, json={"title": "x", "key": "k"}).json["revision"]
    by_1_0(app, write)
    changes = alice.get(f"{TASKS}/changes?since={before}").json
    [task] = changes["changes"]
    assert task["revision"] == changes["next"] > before
    assert task["key"] == {"create": "2"}.get(write, "k")
    assert task == alice.get(f"{TASKS}/{task['id']}").json


def test_a_delete_by_a_server_of_1_0_leaves_a_tombstone(app: Flask, alice: FlaskClient) -> None:
    before = alice.post(TASKS, json={"title": "x", "key": "k"}).json["revision"]
    by_1_0(app, "delete")
    changes = alice.get(f"{TASKS}/changes?since={before}").json
    [tombstone] = changes["changes"]
    assert tombstone == {
        "id": 1,
        "key": "k",
        "deleted": True,
        "deleted_at": tombstone["deleted_at"],
        "revision": changes["next"],
    }
    assert alice.post(TASKS, json={"title": "x", "key": "k"}).status_code == 410


def test_the_first_task_of_a_user_may_be_made_by_a_server_of_1_0(app: Flask, alice: FlaskClient) -> None:
    by_1_0(app, "create")
    changes = alice.get(f"{TASKS}/changes").json
    assert [change["id"] for change in changes["changes"]] == [1]
    assert changes["next"] == changes["changes"][0]["revision"]


def test_a_statement_that_writes_many_rows_gives_each_a_revision_of_its_own(app: Flask, alice: FlaskClient) -> None:
    for title in "abc":
        alice.post(TASKS, json={"title": title})
    before = counter(alice)
    execute(app, "UPDATE tasks SET title = 'by hand'")
    changes = alice.get(f"{TASKS}/changes?since={before}").json["changes"]
    assert len({change["revision"] for change in changes}) == 3
    execute(app, "DELETE FROM tasks")
    changes = alice.get(f"{TASKS}/changes?since={before}").json["changes"]
    assert [change["deleted"] for change in changes] == [True] * 3
    assert len({change["revision"] for change in changes}) == 3


@pytest.mark.parametrize("key", ["", "17", "with space", "ü", "a/b", "x" * 65])
def test_the_database_holds_the_form_of_a_key_by_itself(app: Flask, key: str) -> None:
    statement = WRITES_OF_1_0["create"].replace("(user_id,", "(key, user_id,").replace("(:user_id,", "(:key, :user_id,")
    now = 0 if db_kind(app) == "sqlite" else "2026-01-16T10:00:00Z"
    with pytest.raises(DBAPIError):
        execute(app, statement, key=key, user_id="alice", title="x", completed=False, now=now)


def test_a_restored_database_hands_new_changes_to_old_checkpoints(
    app: Flask, client_of: Callable[[str], FlaskClient]
) -> None:
    alice = client_of("alice")
    alice.post(TASKS, json={"title": "x", "key": "kept"})
    # As a restored copy from before what the client has seen: its counter lies below the client's checkpoint.
    backup = counter(alice)
    alice.post(TASKS, json={"title": "x", "key": "lost"})
    checkpoint = counter(alice)
    execute(app, "DELETE FROM tasks WHERE key = 'lost'")
    execute(app, "DELETE FROM task_tombstones")
    execute(app, "UPDATE task_counters SET revision = :backup", backup=backup)
    assert alice.get(f"{TASKS}/changes?since={checkpoint}").json == {
        "changes": [],
        "next": checkpoint,
        "has_more": False,
    }
    for write in (
        lambda: alice.patch(f"{TASKS}/1/complete"),
        lambda: alice.post(TASKS, json={"title": "new"}),
        lambda: batch(alice, {"op": "put", "key": "lost", "data": {"title": "x"}, "base": {"title": "x"}}),
        lambda: alice.delete(f"{TASKS}/1"),
    ):
        write()
        changes = alice.get(f"{TASKS}/changes?since={checkpoint}").json
        assert len(changes["changes"]) == 1
        assert changes["next"] > checkpoint
        checkpoint = changes["next"]
