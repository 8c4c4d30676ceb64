"""`due`, `priority`, `tags` and `completed_at`: what is taken, what is refused, and who sets what."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.support.errors import assert_invalid
from tests.support.tasks import NOON, TASKS, create
from todo_api.platform.db.engine import db

NONE = {"due": None, "priority": 0, "tags": [], "completed_at": None}


def batch(client: FlaskClient, **operation: Any) -> dict[str, Any]:
    response = client.post(f"{TASKS}/batch", json={"operations": [operation]})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json["results"][0]
    return result


def shown(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def test_a_task_has_none_of_them_unless_they_are_sent(alice: FlaskClient) -> None:
    assert create(alice).items() >= NONE.items()
    assert create(alice, due=None, tags=[]).items() >= NONE.items()


ODD = ['"', "\\", "{a,b}", "NULL", "null", ",", " ", "\n", "é", "e\u0301", "%s", ":x"]
ACCEPTED: list[tuple[str, Any, Any]] = [
    *[("due", due, due) for due in ("2026-12-01", "2026-12-01T17:00", "0001-01-01", "9999-12-31T23:59")],
    *[("due", due, due) for due in ("2024-02-29", "2000-02-29T00:00", "1600-02-29", None)],
    *[("priority", priority, priority) for priority in (0, 1, 2, 3)],
    ("priority", 3.0, 3),
    ("tags", ["home"], ["home"]),
    ("tags", ["b", "a", "b", "c", "a"], ["b", "a", "c"]),
    ("tags", ["x" * 50, "😀" * 50], ["x" * 50, "😀" * 50]),
    ("tags", [str(n) for n in range(20)], [str(n) for n in range(20)]),
    ("tags", ODD, ODD),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "kept"), ACCEPTED)
def test_values_are_kept_as_sent_by_every_operation(alice: FlaskClient, name: str, sent: Any, kept: Any) -> None:
    task = create(alice, **{name: sent})
    assert task[name] == kept
    assert isinstance(task[name], bool) is False
    other = create(alice)
    assert alice.put(f"{TASKS}/{other['id']}", json={name: sent}).json[name] == kept
    assert batch(alice, op="put", key="k", data={"title": "x", name: sent})["task"][name] == kept
    assert batch(alice, op="put", key=str(other["id"]), data={name: sent, "title": "y"})["task"][name] == kept
    for listed in (alice.get(TASKS).json, alice.get(f"{TASKS}/changes").json["changes"]):
        assert [each[name] for each in listed] == [kept] * 3


DATE = "Input should be a real date (YYYY-MM-DD), or date and time (…THH:MM)"
REFUSED: list[tuple[str, Any, str, str]] = [
    *[
        ("due", due, "due", "date_parsing")
        for due in ("2026-02-30", "2025-02-29", "1900-02-29", "0000-01-01", "2026-13-01", "2026-00-10", "2026-12-00",
                    "2026-12-01T24:00", "2026-12-01T23:60", "2026-12-01T7:00", "2026-12-01T17:00:00", "2026-12-1",
                    "2026-12-01T17:00Z", "2026-12-01 17:00", "2026-12-01T", "20261201", "+2026-12-01", "10000-01-01",
                    "", " 2026-12-01", "2026-12-01\n", "\uff12\uff10\uff12\uff16-12-01", "2026-W49-2", "tomorrow")
    ],
    *[("due", due, "due", "string_type") for due in (5, True, 20261201, [], {}, 1.5)],
    ("due", "\0", "due", "date_parsing"),
    *[("priority", value, "priority", "int_type") for value in (True, False, "1", 1.5, None, [], {}, "")],
    ("priority", -1, "priority", "greater_than_equal"),
    ("priority", 4, "priority", "less_than_equal"),
    ("priority", 10**30, "priority", "less_than_equal"),
    *[("tags", value, "tags", "list_type") for value in (None, "home", {}, 1, True)],
    ("tags", ["x"] * 21, "tags", "too_long"),
    ("tags", ["a", "b", "c", ""], "tags.3", "string_too_short"),
    ("tags", ["x" * 51], "tags.0", "string_too_long"),
    ("tags", ["a", None], "tags.1", "string_type"),
    ("tags", ["a", 1], "tags.1", "string_type"),
    ("tags", ["a", ["b"]], "tags.1", "string_type"),
    ("tags", ["\0"], "tags.0", "string_unicode"),
    ("tags", ["\ud800"], "tags.0", "string_unicode"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "field", "type_"), REFUSED)
def test_what_is_no_such_value_is_said(alice: FlaskClient, name: str, value: Any, field: str, type_: str) -> None:
    task = create(alice)
    assert_invalid(alice.post(TASKS, json={"title": "x", name: value}), (f"body.{field}", type_))
    assert_invalid(alice.put(f"{TASKS}/1", json={name: value}), (f"body.{field}", type_))
    result = batch(alice, op="put", key="1", data={name: value})
    assert (result["status"], result["task"]) == (422, task)
    assert [(error["field"], error["type"]) for error in result["errors"]] == [(f"data.{field}", type_)]
    assert alice.get(TASKS).json == [task]


def test_the_message_says_the_form(alice: FlaskClient) -> None:
    errors = alice.post(TASKS, json={"title": "x", "due": "2026-02-30", "tags": ["", "x" * 51]}).json["errors"]
    assert [error["message"] for error in errors] == [
        DATE,
        "String should have at least 1 character",
        "String should have at most 50 characters",
    ]


def test_who_never_heard_of_them_changes_nothing_of_them(alice: FlaskClient) -> None:
    task = create(alice, due="2026-12-01", priority=2, tags=["a"])
    old = {name: task[name] for name in ("title", "description", "completed")}
    for changed in (
        alice.put(f"{TASKS}/1", json={**old, "title": "y"}).json,
        batch(alice, op="put", key="1", data={"title": "z"}, base=old | {"title": "y"})["task"],
    ):
        assert {name: changed[name] for name in NONE} == {name: task[name] for name in NONE}


def test_completed_at_is_set_with_completed_and_cannot_be_sent(alice: FlaskClient, clock: list[datetime]) -> None:
    done = create(alice, completed=True, completed_at="2020-01-01T00:00:00.000000Z")
    assert done["completed_at"] == shown(NOON)
    assert create(alice, completed_at=shown(NOON))["completed_at"] is None
    sent = {"completed_at": None, "title": "y"}
    assert alice.put(f"{TASKS}/{done['id']}", json=sent).json["completed_at"] == shown(NOON)


def writes(client: FlaskClient, task_id: int, completed: bool) -> list[Any]:
    """Each way to set `completed` to a value that it does not have."""
    path = f"{TASKS}/{task_id}"
    return [
        lambda: client.put(path, json={"completed": completed}).json,
        lambda: client.patch(f"{path}/complete").json,
        lambda: batch(client, op="put", key=str(task_id), data={"completed": completed})["task"],
    ]


@pytest.mark.parametrize("completing", range(3))
@pytest.mark.parametrize("reopening", range(3))
def test_completed_at_follows_completed_by_whatever_operation(
    alice: FlaskClient, clock: list[datetime], completing: int, reopening: int
) -> None:
    task_id = create(alice)["id"]
    clock.append(NOON + timedelta(hours=1))
    done = writes(alice, task_id, completed=True)[completing]()
    assert done["completed_at"] == done["updated_at"] == shown(clock[-1])
    clock.append(NOON + timedelta(hours=2))
    # It was true already: the time stays.
    assert alice.put(f"{TASKS}/{task_id}", json={"completed": True, "title": "y"}).json["completed_at"] == shown(
        clock[1]
    )
    again = batch(alice, op="put", key=str(task_id), data={"completed": True, "title": "z"})["task"]
    assert (again["completed_at"], again["updated_at"]) == (
        shown(clock[1]),
        shown(clock[2] + timedelta(microseconds=1)),
    )
    assert writes(alice, task_id, completed=False)[reopening]()["completed_at"] is None
    assert alice.get(f"{TASKS}/{task_id}").json["completed_at"] is None


def test_completed_at_is_decided_in_the_order_of_a_batch(alice: FlaskClient, clock: list[datetime]) -> None:
    puts = [{"op": "put", "key": "k", "data": {"title": "x", "completed": done}} for done in (True, False, True)]
    results = alice.post(f"{TASKS}/batch", json={"operations": puts}).json["results"]
    assert [result["task"]["completed_at"] is None for result in results] == [False, True, False]


def of_the_version_before(app: Flask, completed: bool, at: datetime) -> None:
    """It toggles the task without a word about `completed_at`."""
    with app.app_context(), db.engine.begin() as connection:
        moment: Any = at if connection.dialect.name == "postgresql" else int(at.timestamp() * 1_000_000)
        statement = text("UPDATE tasks SET completed = :completed, updated_at = :at WHERE id = 1")
        connection.execute(statement, {"completed": completed, "at": moment})


def test_what_the_version_before_completes_was_completed_at_its_last_change(
    app: Flask, alice: FlaskClient, clock: list[datetime]
) -> None:
    create(alice)
    hours = [NOON + timedelta(hours=hour) for hour in range(1, 6)]
    of_the_version_before(app, True, hours[0])
    assert alice.get(f"{TASKS}/1").json["completed_at"] == shown(hours[0])
    of_the_version_before(app, False, hours[1])
    assert alice.get(f"{TASKS}/1").json["completed_at"] is None
    clock.append(hours[2])
    assert alice.patch(f"{TASKS}/1/complete").json["completed_at"] == shown(hours[2])
    since = alice.get(f"{TASKS}/changes").json["next"]
    of_the_version_before(app, False, hours[3])
    assert alice.get(f"{TASKS}/1").json["completed_at"] is None
    of_the_version_before(app, True, hours[4])
    task = alice.get(f"{TASKS}/1").json
    assert task["completed_at"] == shown(hours[4])
    assert alice.get(f"{TASKS}/changes?since={since}").json["changes"] == [task]


def test_a_base_compares_tags_after_repeats_are_dropped_and_numbers_as_json(alice: FlaskClient) -> None:
    create(alice, tags=["a", "b"], priority=2, due="2026-12-01")
    base = {"tags": ["a", "b", "a"], "priority": 2.0, "due": "2026-12-01"}
    result = batch(alice, op="put", key="1", data={"tags": ["c"], "priority": 1, "due": None}, base=base)
    assert (result["status"], result["task"]["tags"], result["task"]["priority"]) == (200, ["c"], 1)
    for name, value in (("tags", ["b", "a"]), ("tags", "c"), ("priority", True), ("due", "2026-12-01T00:00")):
        data = {name: {"tags": ["z"], "priority": 3, "due": "2027-01-01"}[name]}
        assert batch(alice, op="put", key="1", data=data, base={name: value})["status"] == 412
