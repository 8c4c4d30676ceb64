"""`flask purge` and `flask sync-reset`."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.support.tasks import TASKS
from todo_api.platform.db.engine import db
from todo_api.tasks import commands

CHANGES = f"{TASKS}/changes"


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if not line.startswith("{")][-1]


def delete_some(client: FlaskClient, path: str, count: int) -> None:
    for _ in range(count):
        client.delete(client.post(path, json={"title": "x"}).headers["Location"])


@pytest.fixture(autouse=True)
def small_steps() -> Iterator[None]:
    """So that a few rows take several steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "_tombstones", commands._tombstones.limit(2))
        patch.setattr(commands, "_users", commands._users.limit(2))
        yield


def age(app: Flask, days: int, where: str) -> None:
    """Move what was deleted into the past."""
    microseconds = days * 86_400_000_000
    earlier = f"deleted_at - {microseconds}"
    if db_kind(app) == "postgresql":
        earlier = f"deleted_at - interval '{days} days'"
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"UPDATE task_tombstones SET deleted_at = {earlier} WHERE {where}"))


def db_kind(app: Flask) -> str:
    return str(app.config["SQLALCHEMY_DATABASE_URI"].get_backend_name())


def test_nothing_is_purged_where_nothing_is_old(app: Flask, alice: FlaskClient) -> None:
    assert run(app, "purge") == "Purged 0 tasks that were deleted more than 180 days ago."
    delete_some(alice, TASKS, 3)
    age(app, 179, "true" if db_kind(app) == "postgresql" else "1")
    assert run(app, "purge") == "Purged 0 tasks that were deleted more than 180 days ago."
    assert len(alice.get(f"{CHANGES}?since=1").json["changes"]) == 3


def test_old_tombstones_are_purged_and_young_ones_kept(app: Flask, alice: FlaskClient, bob: FlaskClient) -> None:
    delete_some(alice, TASKS, 5)
    delete_some(bob, "/api/bob/tasks", 3)
    before = alice.get(f"{CHANGES}?since=1").json["changes"]
    age(app, 181, "id <= 3 OR id = 6")
    assert run(app, "purge") == "Purged 4 tasks that were deleted more than 180 days ago."
    assert run(app, "purge") == "Purged 0 tasks that were deleted more than 180 days ago."
    horizon = before[2]["revision"]
    assert alice.get(f"{CHANGES}?since={horizon - 1}").status_code == 410
    assert alice.get(f"{CHANGES}?since={horizon}").json["changes"] == before[3:]
    assert bob.get("/api/bob/tasks/changes?since=1").status_code == 410
    assert run(app, "purge", "--days", "0") == "Purged 4 tasks that were deleted more than 0 days ago."


def test_a_purged_key_is_free_again(app: Flask, alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x", "key": "k"})
    alice.delete(f"{TASKS}/1")
    run(app, "purge", "--days", "0")
    response = alice.post(TASKS, json={"title": "x", "key": "k"})
    assert (response.status_code, response.json["id"]) == (201, 2)


def test_a_purge_of_what_a_reset_has_passed_leaves_its_horizon(app: Flask, alice: FlaskClient) -> None:
    delete_some(alice, TASKS, 1)
    run(app, "sync-reset")
    checkpoint = alice.get(CHANGES).json["next"]
    run(app, "purge", "--days", "0")
    assert alice.get(f"{CHANGES}?since={checkpoint - 1}").status_code == 410
    assert alice.get(f"{CHANGES}?since={checkpoint}").status_code == 200


def test_a_reset_makes_every_client_start_again_also_those_up_to_date(
    app: Flask, alice: FlaskClient, bob: FlaskClient
) -> None:
    assert run(app, "sync-reset") == "The clients of 0 users start again."
    task = alice.post(TASKS, json={"title": "x"}).json
    bob.post("/api/bob/tasks", json={"title": "x"})
    before = alice.get(CHANGES).json["next"]
    assert run(app, "sync-reset") == "The clients of 2 users start again."
    assert alice.get(f"{CHANGES}?since={before}").status_code == 410
    feed = alice.get(CHANGES).json
    assert feed == {"changes": [task], "next": feed["next"], "has_more": False}
    assert feed["next"] > before
    assert alice.get(f"{CHANGES}?since={feed['next']}").json["changes"] == []
    assert alice.patch(f"{TASKS}/1/complete").json["revision"] > feed["next"]


@pytest.mark.parametrize("batch", [False, True])
def test_a_task_that_was_put_back_by_hand_can_be_deleted_again_after_a_reset(
    app: Flask, alice: FlaskClient, batch: bool
) -> None:
    alice.post(TASKS, json={"title": "x"})
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE backup AS SELECT * FROM tasks"))
        connection.execute(text("DELETE FROM tasks"))
        connection.execute(text("INSERT INTO tasks SELECT * FROM backup"))
        connection.execute(text("DROP TABLE backup"))
    run(app, "sync-reset")
    feed = alice.get(CHANGES).json
    assert [change["title"] for change in feed["changes"]] == ["x"]
    if batch:
        body = {"operations": [{"op": "delete", "key": "1"}]}
        assert [result["status"] for result in alice.post(f"{TASKS}/batch", json=body).json["results"]] == [200]
    else:
        assert alice.delete(f"{TASKS}/1").status_code == 204
    [change] = alice.get(f"{CHANGES}?since={feed['next']}").json["changes"]
    assert (change["id"], change["deleted"]) == (1, True)


def test_many_users_are_reset_in_steps(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        for number in range(5):
            connection.execute(text(f"INSERT INTO task_counters (user_id, revision) VALUES ('user {number}', 5)"))
    assert run(app, "sync-reset") == "The clients of 5 users start again."
    with app.app_context(), db.engine.begin() as connection:
        revisions = connection.execute(text("SELECT revision, horizon FROM task_counters")).all()
    assert all(revision == horizon > 5 for revision, horizon in revisions)


@pytest.mark.parametrize("days", ["-1", "x", "36501"])
def test_a_wrong_number_of_days_is_refused(app: Flask, days: str) -> None:
    result = app.test_cli_runner().invoke(args=["purge", "--days", days])
    assert result.exit_code == 2
    assert "--days" in result.output
