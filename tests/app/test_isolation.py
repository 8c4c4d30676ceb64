"""A user's tasks are open to that user alone."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.support.apps import client_for
from tests.support.errors import assert_error
from todo_api.auth.blueprint import UserBlueprint

DENIED = "Access denied: You can only access your own resources"


def operations(app: Flask) -> Iterator[tuple[str, str]]:
    """Each method and path under /api, with alice for its user."""
    rules: list[Rule] = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api")]
    assert {rule.endpoint for rule in rules} >= {f"tasks.{name}_task" for name in ("get", "update", "delete", "toggle")}
    for rule in rules:
        assert rule.rule.startswith("/api/<user_id>/"), f"{rule.rule} is of no user"
        path = rule.rule.replace("<user_id>", "alice").replace("<task:task_id>", "1")
        assert "<" not in path, f"{rule.rule} has a part that this test does not know"
        for method in (rule.methods or set()) - {"OPTIONS"}:
            yield method, path


def test_no_operation_is_open_to_no_one_or_to_another_user(
    app: Flask, alice: FlaskClient, bob: FlaskClient, anonymous: FlaskClient
) -> None:
    task = alice.post("/api/alice/tasks", json={"title": "Buy milk"}).json
    for method, path in operations(app):
        for client, status, detail in ((anonymous, 401, "Not authenticated"), (bob, 403, DENIED)):
            response = client.open(path, method=method, json={"title": "Mine now"})
            if method == "HEAD":
                assert response.status_code == status
            else:
                assert_error(response, status, detail)
    assert alice.get("/api/alice/tasks").json == [task]


def test_a_view_that_answers_options_itself_needs_a_token_too(api: Callable[..., Flask]) -> None:
    blp, app = UserBlueprint("notes", __name__, path="notes"), api()

    @blp.route("", methods=["OPTIONS"])
    def describe_notes(user_id: str) -> str:
        """Describe notes"""
        return "private"

    app.register_blueprint(blp)
    assert_error(app.test_client().options("/api/alice/notes"), 401, "Not authenticated")
    assert client_for(app, "alice").options("/api/alice/notes").text == "private"


def test_another_users_task_is_no_task_under_ones_own_path(alice: FlaskClient, bob: FlaskClient) -> None:
    task = bob.post("/api/bob/tasks", json={"title": "Buy milk"}).json
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("PATCH", "/complete")):
        for body in ({"title": "Mine now"}, {}):
            response = alice.open(f"/api/alice/tasks/{task['id']}{path}", method=method, json=body)
            assert_error(response, 404, f"Task with id {task['id']} not found")
    assert bob.get("/api/bob/tasks").json == [task]


def test_a_list_and_its_pages_hold_ones_own_tasks_alone(alice: FlaskClient, bob: FlaskClient) -> None:
    for client, user in ((alice, "alice"), (bob, "bob"), (alice, "alice"), (bob, "bob")):
        client.post(f"/api/{user}/tasks", json={"title": user})
    assert [task["id"] for task in alice.get("/api/alice/tasks").json] == [3, 1]
    link = alice.get("/api/alice/tasks?limit=1").headers["Link"]
    cursor = link.partition("cursor=")[2].partition(">")[0]
    assert [task["id"] for task in bob.get(f"/api/bob/tasks?cursor={cursor}").json] == [2]
    assert_error(bob.get(f"/api/alice/tasks?cursor={cursor}"), 403, DENIED)


@pytest.mark.parametrize(
    "path", ["alice%20", "Alice", "ALICE", "alice%0A", "alice%00", "%2561lice", "alic\u0435", "*", ".", "%ff"]
)
def test_a_path_that_only_looks_like_ones_own_is_denied(alice: FlaskClient, path: str) -> None:
    assert_error(alice.get(f"/api/{path}/tasks"), 403, DENIED)
