"""The feed of changes: what lies above a checkpoint, tasks and tombstones in one order, in full pages."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.support.errors import assert_error, assert_invalid
from tests.support.tasks import TASKS, create, pages
from tests.support.tokens import bearer
from todo_api.platform.db.engine import db

CHANGES = f"{TASKS}/changes"


def page(client: FlaskClient, query: str = "") -> dict[str, Any]:
    response = client.get(CHANGES + query)
    assert (response.status_code, response.content_type) == (200, "application/json"), response.text
    assert list(response.json) == ["changes", "next", "has_more"]
    assert ("Link" in response.headers) == response.json["has_more"]
    body: dict[str, Any] = response.json
    return body


def purge(app: Flask, days: int = 0) -> None:
    assert app.test_cli_runner().invoke(args=["purge", "--days", str(days)]).exit_code == 0


def test_a_user_of_whom_nothing_is_known_has_an_empty_page_with_a_checkpoint_above_0(alice: FlaskClient) -> None:
    assert page(alice) == {"changes": [], "next": 1, "has_more": False}
    assert page(alice, "?since=5") == {"changes": [], "next": 5, "has_more": False}
    assert page(alice, "?after=7") == {"changes": [], "next": 7, "has_more": False}
    assert page(alice, "?since=9&after=7") == {"changes": [], "next": 9, "has_more": False}
    most = 2**53 - 1
    assert page(alice, f"?since={most}&after={most}") == {"changes": [], "next": most, "has_more": False}


def test_changes_come_in_the_order_of_their_revisions_each_task_once(alice: FlaskClient) -> None:
    tasks = [create(alice) for _ in range(4)]
    tasks[0] = alice.patch(f"{TASKS}/1/complete").json
    alice.delete(f"{TASKS}/2")
    feed = page(alice, "?since=1")
    assert feed["changes"][:3] == [tasks[2], tasks[3], tasks[0]]
    tombstone = feed["changes"][3]
    assert tombstone == {"id": 2, "key": "2", "deleted": True, **{k: tombstone[k] for k in ("deleted_at", "revision")}}
    assert (feed["next"], feed["has_more"]) == (tombstone["revision"], False)
    assert page(alice, f"?since={tasks[3]['revision']}")["changes"] == [tasks[0], tombstone]


def test_nothing_above_the_last_revision(alice: FlaskClient) -> None:
    last = create(alice)["revision"]
    for query in (f"?since={last}", f"?after={last}", f"?since=1&after={last}", f"?since={last}&after=1"):
        assert page(alice, query) == {"changes": [], "next": last, "has_more": False}
    assert page(alice, f"?since={last + 10**6}") == {"changes": [], "next": last + 10**6, "has_more": False}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 1000])
def test_pages_are_full_and_the_last_one_ends_at_the_counter(alice: FlaskClient, limit: int) -> None:
    tasks = [create(alice) for _ in range(4)]
    feed = list(pages(alice, f"{CHANGES}?limit={limit}"))
    assert [change for each in feed for change in each["changes"]] == tasks
    assert [len(each["changes"]) for each in feed[:-1]] == [limit] * (len(feed) - 1)
    assert len(feed) == -(-4 // limit)
    assert [each["next"] for each in feed[:-1]] == [each["changes"][-1]["revision"] for each in feed[:-1]]
    assert feed[-1]["next"] == tasks[-1]["revision"]


def test_the_link_repeats_the_checkpoint_and_the_limit_but_not_the_wait(alice: FlaskClient) -> None:
    tasks = [create(alice) for _ in range(3)]
    response = alice.get(f"{CHANGES}?limit=1&since=1&wait=25&colour=red")
    assert response.headers["Link"] == (f'<{CHANGES}?since=1&limit=1&after={tasks[0]["revision"]}>; rel="next"')
    response = alice.get(f"{CHANGES}?limit=1")
    assert response.headers["Link"] == f'<{CHANGES}?limit=1&after={tasks[0]["revision"]}>; rel="next"'


def test_tombstones_are_left_out_of_the_first_page_of_a_first_pull_alone(alice: FlaskClient) -> None:
    for _ in range(4):
        create(alice)
    alice.delete(f"{TASKS}/3")
    alice.delete(f"{TASKS}/1")
    first = page(alice, "?limit=1")
    assert ([change["id"] for change in first["changes"]], first["has_more"]) == ([2], True)
    second = page(alice, f"?after={first['next']}")
    assert [change["id"] for change in second["changes"]] == [4, 3, 1]
    # All tasks fit: what is left would not be answered, and the checkpoint lies behind it.
    whole = page(alice, "?limit=2")
    assert ([change["id"] for change in whole["changes"]], whole["has_more"]) == ([2, 4], False)
    assert whole["next"] == second["next"] == second["changes"][-1]["revision"]
    assert page(alice, "?since=0&after=0") == page(alice)


def test_a_task_deleted_between_two_pages_is_a_tombstone_on_the_second(alice: FlaskClient) -> None:
    for _ in range(3):
        create(alice)
    first = page(alice, "?limit=2")
    alice.delete(f"{TASKS}/1")
    rest = page(alice, f"?limit=2&after={first['next']}")
    assert [(change["id"], change.get("deleted", False)) for change in rest["changes"]] == [(3, False), (1, True)]
    assert not rest["has_more"]


def test_a_task_changed_between_two_pages_moves_to_the_end(alice: FlaskClient) -> None:
    for _ in range(3):
        create(alice)
    first = page(alice, "?limit=2")
    alice.patch(f"{TASKS}/3/complete")
    alice.patch(f"{TASKS}/1/complete")
    rest = page(alice, f"?after={first['next']}")
    assert [(change["id"], change["completed"]) for change in rest["changes"]] == [(3, True), (1, True)]


def test_a_checkpoint_below_a_purged_tombstone_is_gone_and_leads_to_the_start(app: Flask, alice: FlaskClient) -> None:
    first = create(alice)["revision"]
    create(alice)
    alice.delete(f"{TASKS}/1")
    horizon = page(alice)["next"]
    purge(app)
    for query in (f"?since={first}", "?since=1", f"?since={horizon - 1}&after={horizon}", f"?since={first}&limit=1"):
        response = alice.get(CHANGES + query)
        since = query.removeprefix("?since=").partition("&")[0]
        assert_error(response, 410, f"Changes since {since} are no longer known: start again without since")
        assert response.headers["Link"] == f'<{CHANGES}>; rel="alternate"'
    assert [change["id"] for change in page(alice)["changes"]] == [2]
    assert page(alice, f"?since={horizon}")["changes"] == []


def test_a_first_pull_goes_on_behind_a_purged_tombstone(app: Flask, alice: FlaskClient) -> None:
    for _ in range(4):
        create(alice)
    first = page(alice, "?limit=1")
    alice.delete(f"{TASKS}/4")
    purge(app)
    rest = list(pages(alice, f"{CHANGES}?limit=1&after={first['next']}"))
    assert [change["id"] for each in rest for change in each["changes"]] == [2, 3]
    assert page(alice, f"?since={rest[-1]['next']}")["changes"] == []


def test_a_user_sees_no_change_of_another(alice: FlaskClient, bob: FlaskClient) -> None:
    create(alice)
    alice.delete(f"{TASKS}/1")
    assert bob.get("/api/bob/tasks/changes?since=1").json == {"changes": [], "next": 1, "has_more": False}
    assert_error(bob.get(CHANGES), 403, "Access denied: You can only access your own resources")


def test_other_methods_of_the_feed_and_of_batches_are_not_allowed(alice: FlaskClient) -> None:
    for path, allowed in ((CHANGES, {"GET", "HEAD", "OPTIONS"}), (f"{TASKS}/batch", {"POST", "OPTIONS"})):
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            response = alice.open(path, method=method, json={"title": "x"})
            assert_error(response, 405, "Method Not Allowed")
            assert {each.strip() for each in response.headers["Allow"].split(",")} == allowed
        assert_error(alice.patch(f"{path}/complete"), 404, "Not Found")
    assert_invalid(alice.get(f"{TASKS}/change"), ("path.task_id", "int_parsing"))
    assert_invalid(alice.get(f"{TASKS}/batches"), ("path.task_id", "int_parsing"))


@pytest.mark.parametrize("query", ["", "?wait=1"])
def test_a_token_serves_however_far_its_expiry_is(anonymous: FlaskClient, query: str) -> None:
    far = bearer("alice", seconds=10**400)
    assert anonymous.get(CHANGES + query, headers=far).json == {"changes": [], "next": 1, "has_more": False}


def test_head_answers_as_get_without_a_body(alice: FlaskClient) -> None:
    create(alice)
    head, get = alice.head(f"{CHANGES}?limit=1"), alice.get(f"{CHANGES}?limit=1")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_a_wait_outlasts_a_short_outage_also_outside_of_our_server(app: Flask, alice: FlaskClient) -> None:
    def rename(old: str, new: str) -> None:
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(alice.get, f"{CHANGES}?since=1&wait=3")
        time.sleep(0.5)
        rename("task_counters", "away")
        time.sleep(1)
        rename("away", "task_counters")
        assert waiting.result().json == {"changes": [], "next": 1, "has_more": False}
