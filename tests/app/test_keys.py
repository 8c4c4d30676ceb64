"""Keys that clients choose: creating can be repeated."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.errors import assert_invalid
from tests.support.tasks import TASKS
from todo_api.tasks import store

KEYS = [
    "0f8c2b1e-5d4a-4c6f-9b1e-3a7d20c4e911",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "V1StGXR8_Z5jdHi6B-myT",
    "a",
    "-",
    ".",
    "~",
    "_",
    "1a",
    "12345-",
    "x" * 64,
    "1" * 63 + "x",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_task_keeps_the_key_that_it_was_created_with(alice: FlaskClient, key: str) -> None:
    response = alice.post(TASKS, json={"title": "x", "key": key})
    assert (response.status_code, response.json["key"]) == (201, key)
    changed = alice.put(f"{TASKS}/1", json={"title": "y", "key": "other"}).json
    assert changed["key"] == key
    assert [task["key"] for task in alice.get(TASKS).json] == [key]


def test_a_task_without_a_key_has_its_id_as_text(alice: FlaskClient) -> None:
    for task_id in (1, 2):
        assert alice.post(TASKS, json={"title": "x"}).json["key"] == str(task_id)


def test_a_repeated_create_answers_the_task_as_it_stands(alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x", "key": "k"})
    task = alice.put(f"{TASKS}/1", json={"title": "edited", "completed": True}).json
    response = alice.post(TASKS, json={"title": "other", "description": "other", "key": "k"})
    assert (response.status_code, response.json) == (200, task)
    assert response.headers["Location"] == f"{TASKS}/1"
    assert response.headers["ETag"] == f'"{task["revision"]}"'
    assert alice.get(TASKS).json == [task]


def test_keys_are_case_sensitive_and_each_users_own(alice: FlaskClient, bob: FlaskClient) -> None:
    for key in ("key", "KEY", "Key"):
        assert alice.post(TASKS, json={"title": "x", "key": key}).status_code == 201
        assert bob.post("/api/bob/tasks", json={"title": "x", "key": key}).status_code == 201


def test_the_key_of_a_deleted_task_stays_taken(alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x", "key": "k"})
    alice.delete(f"{TASKS}/1")
    response = alice.post(TASKS, json={"title": "x", "key": "k"})
    [tombstone] = alice.get(f"{TASKS}/changes?since=1").json["changes"]
    assert response.status_code == 410
    assert response.json == {"detail": "Task with key k is deleted", "status_code": 410, "task": tombstone}
    assert alice.get(TASKS).json == []


def test_a_create_makes_a_task_where_the_tombstone_of_its_key_is_purged_meanwhile(
    app: Flask, alice: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.post(TASKS, json={"title": "x", "key": "k"})
    alice.delete(f"{TASKS}/1")
    get_by_key = store.get_by_key

    def get_after_purge(user_id: str, key: str) -> Any:
        assert app.test_cli_runner().invoke(args=["purge", "--days", "0"]).exit_code == 0
        return get_by_key(user_id, key)

    monkeypatch.setattr(store, "get_by_key", get_after_purge)
    response = alice.post(TASKS, json={"title": "y", "key": "k"})
    assert (response.status_code, response.json["title"], response.json["key"]) == (201, "y", "k")


@pytest.mark.parametrize("key", ["1", "17", "007", "0", "9" * 64])
def test_a_key_of_digits_alone_is_ignored(alice: FlaskClient, key: str) -> None:
    for task_id in (1, 2):
        response = alice.post(TASKS, json={"title": "x", "key": key})
        assert (response.status_code, response.json["id"], response.json["key"]) == (201, task_id, str(task_id))


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (None, "string_type"),
        (17, "string_type"),
        (True, "string_type"),
        ([], "string_type"),
        ("", "string_too_short"),
        ("x" * 65, "string_too_long"),
        ("1" * 65, "string_too_long"),
        ("a b", "string_pattern_mismatch"),
        ("a/b", "string_pattern_mismatch"),
        ("é", "string_pattern_mismatch"),
        ("\u0661", "string_pattern_mismatch"),
        ("a\n", "string_pattern_mismatch"),
        ("17\n", "string_pattern_mismatch"),
        ("a\0", "string_unicode"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(alice: FlaskClient, key: Any, kind: str) -> None:
    assert_invalid(alice.post(TASKS, json={"title": "x", "key": key}), ("body.key", kind))
    response = alice.post(f"{TASKS}/batch", json={"operations": [{"op": "put", "key": key, "data": {"title": "x"}}]})
    [result] = response.json["results"]
    assert (result["status"], result["task"], result["detail"]) == (422, None, "Validation error")
    assert [(error["field"], error["type"]) for error in result["errors"]] == [("key", kind)]


def test_faults_of_a_key_and_of_other_fields_come_at_once(alice: FlaskClient) -> None:
    response = alice.post(TASKS, json={"key": "a b", "completed": 1})
    assert_invalid(
        response, ("body.key", "string_pattern_mismatch"), ("body.title", "missing"), ("body.completed", "bool_type")
    )


def test_parallel_creates_with_one_key_make_one_task(client_of: Callable[[str], FlaskClient]) -> None:
    from tests.app.test_races import THREADS, at_once

    for turn in range(5):
        answers = at_once(
            client_of,
            lambda client, _, key=f"k{turn}": client.post(TASKS, json={"title": "x", "key": key}),
            times=THREADS,
        )
        assert sorted(response.status_code for response in answers) == [200] * 7 + [201]
        assert len({response.json["id"] for response in answers}) == 1
    assert len(client_of("alice").get(TASKS).json) == 5
