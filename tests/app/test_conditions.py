"""Entity tags and conditional requests."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.errors import assert_error
from tests.support.tasks import TASKS


@pytest.fixture
def task(alice: FlaskClient) -> dict[str, Any]:
    created: dict[str, Any] = alice.post(TASKS, json={"title": "x", "key": "k"}).json
    return created


def tag(task: dict[str, Any]) -> str:
    return f'"{task["revision"]}"'


def test_every_answer_that_is_one_task_has_its_revision_as_entity_tag(alice: FlaskClient, task: dict[str, Any]) -> None:
    for response in (
        alice.post(TASKS, json={"title": "y"}),
        alice.post(TASKS, json={"title": "y", "key": "k"}),
        alice.get(f"{TASKS}/1"),
        alice.put(f"{TASKS}/1", json={"title": "y"}),
        alice.put(f"{TASKS}/1", json={}),
        alice.patch(f"{TASKS}/1/complete"),
    ):
        assert response.headers["ETag"] == tag(response.json)
    assert alice.head(f"{TASKS}/1").headers["ETag"] == alice.get(f"{TASKS}/1").headers["ETag"]
    for response in (
        alice.get(TASKS),
        alice.get(f"{TASKS}/changes"),
        alice.get(f"{TASKS}/9"),
        alice.delete(f"{TASKS}/1"),
    ):
        assert "ETag" not in response.headers


@pytest.mark.parametrize(
    "known", ["{tag}", "W/{tag}", '"0", {tag}', '{tag},"x"', ", ,{tag} ,", "*", " * ", '"a,b" , W/{tag}']
)
def test_a_task_that_the_client_has_is_not_sent_again(alice: FlaskClient, task: dict[str, Any], known: str) -> None:
    for method in ("GET", "HEAD"):
        response = alice.open(f"{TASKS}/1", method=method, headers={"If-None-Match": known.format(tag=tag(task))})
        assert (response.status_code, response.data) == (304, b"")
        assert response.headers["ETag"] == tag(task)
        assert "Content-Type" not in response.headers
        assert "Content-Length" not in response.headers


@pytest.mark.parametrize(
    "known", ['"0"', "", "{bare}", "'{bare}'", '"{bare}', '"x" {tag}', '"0{bare}"', '"é"', "w/{tag}"]
)
def test_a_task_that_the_client_does_not_have_is_sent(alice: FlaskClient, task: dict[str, Any], known: str) -> None:
    header = known.format(tag=tag(task), bare=task["revision"])
    response = alice.get(f"{TASKS}/1", headers={"If-None-Match": header})
    assert (response.status_code, response.json) == (200, task)


def test_a_condition_of_the_other_kind_is_ignored(alice: FlaskClient, task: dict[str, Any]) -> None:
    assert alice.get(f"{TASKS}/1", headers={"If-Match": '"5"'}).json == task
    assert alice.get(TASKS, headers={"If-None-Match": "*"}).json == [task]
    assert alice.put(f"{TASKS}/1", json={"title": "y"}, headers={"If-None-Match": "*"}).status_code == 200


WRITES = [("PUT", "", {"title": "new"}), ("PATCH", "/complete", None), ("DELETE", "", None)]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("match", ["{tag}", "W/{tag}", '"7",{tag}', "*", ",{tag},,"])
def test_a_write_is_done_where_the_condition_holds(
    alice: FlaskClient, task: dict[str, Any], method: str, path: str, body: Any, match: str
) -> None:
    header = {"If-Match": match.format(tag=tag(task))}
    response = alice.open(f"{TASKS}/1{path}", method=method, json=body, headers=header)
    assert response.status_code == (204 if method == "DELETE" else 200)
    if method != "DELETE":
        assert response.json["revision"] > task["revision"]
        assert response.json["updated_at"] > task["updated_at"]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("match", ['"5"', "", '"", "x"', "nonsense", "{bare}", '"*"', f'"{10**30}"', '"{bare}" "5"'])
def test_a_write_is_refused_with_the_task_where_the_condition_does_not_hold(
    alice: FlaskClient, task: dict[str, Any], method: str, path: str, body: Any, match: str
) -> None:
    header = {"If-Match": match.format(bare=task["revision"])}
    response = alice.open(f"{TASKS}/1{path}", method=method, json=body, headers=header)
    assert response.status_code == 412
    assert response.content_type == "application/json"
    assert response.json == {"detail": "Task with id 1 has changed", "status_code": 412, "task": task}
    assert alice.get(TASKS).json == [task]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("match", ['"5"', "*", "nonsense"])
def test_where_there_is_no_task_no_condition_matters(
    alice: FlaskClient, method: str, path: str, body: Any, match: str
) -> None:
    response = alice.open(f"{TASKS}/9{path}", method=method, json=body, headers={"If-Match": match})
    assert_error(response, 404, "Task with id 9 not found")


def test_a_body_that_is_not_valid_is_said_before_the_condition(alice: FlaskClient, task: dict[str, Any]) -> None:
    response = alice.put(f"{TASKS}/1", json={"title": ""}, headers={"If-Match": '"5"'})
    assert response.status_code == 422


@pytest.mark.parametrize(
    "body",
    [{"title": "x"}, {"description": None}, {"title": "x", "completed": False, "description": None}, {"colour": "red"}],
)
def test_an_update_of_a_changed_task_that_is_as_wanted_already_is_done(
    alice: FlaskClient, task: dict[str, Any], body: dict[str, Any]
) -> None:
    response = alice.put(f"{TASKS}/1", json=body, headers={"If-Match": '"5"'})
    assert (response.status_code, response.json, response.headers["ETag"]) == (200, task, tag(task))


@pytest.mark.parametrize("body", [{"title": "x", "completed": True}, {"description": ""}, {"title": "X"}])
def test_an_update_that_is_in_part_as_wanted_is_refused(
    alice: FlaskClient, task: dict[str, Any], body: dict[str, Any]
) -> None:
    assert alice.put(f"{TASKS}/1", json=body, headers={"If-Match": '"5"'}).status_code == 412


def test_an_equal_update_with_a_condition_that_holds_still_moves_the_task(
    alice: FlaskClient, task: dict[str, Any]
) -> None:
    changed = alice.put(f"{TASKS}/1", json={"title": "x"}, headers={"If-Match": tag(task)}).json
    assert changed["revision"] > task["revision"]
    assert changed["updated_at"] > task["updated_at"]


def test_a_repeated_update_whose_first_answer_was_lost_is_done(alice: FlaskClient, task: dict[str, Any]) -> None:
    first = alice.put(f"{TASKS}/1", json={"title": "new"}, headers={"If-Match": tag(task)})
    again = alice.put(f"{TASKS}/1", json={"title": "new"}, headers={"If-Match": tag(task)})
    assert (again.status_code, again.json) == (200, first.json)
