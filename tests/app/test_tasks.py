"""The operations on tasks, as the contract has them."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.apps import client_for, disposed, make_app, migrated
from tests.support.databases import Postgres
from tests.support.errors import assert_error
from tests.support.tasks import NOON, TASKS, create


def touched(task: dict[str, Any]) -> dict[str, Any]:
    """What the service sets."""
    return {name: task[name] for name in ("completed_at", "updated_at", "revision")}


def test_a_created_task_is_answered_whole_with_its_location(alice: FlaskClient) -> None:
    response = alice.post(TASKS, json={"title": "Buy milk"})
    assert (response.status_code, response.content_type) == (201, "application/json")
    task = response.json
    assert list(task) == [
        *("id", "key", "user_id", "title", "description", "completed", "due", "priority", "tags", "completed_at"),
        *("created_at", "updated_at", "revision"),
    ]
    assert task["key"] == str(task["id"])
    assert (task["user_id"], task["title"], task["description"], task["completed"]) == (
        "alice",
        "Buy milk",
        None,
        False,
    )
    assert task["created_at"] == task["updated_at"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", task["created_at"])
    assert response.headers["Location"] == f"{TASKS}/{task['id']}"
    response = alice.get(response.headers["Location"])
    assert (response.status_code, response.content_type, response.json) == (200, "application/json", task)


@pytest.mark.parametrize(
    "sent",
    [
        {"title": "x"},
        {"title": "x" * 200, "description": "y" * 1000, "completed": True},
        {"title": "😀" * 200, "description": "😀" * 1000},
        {"title": "x", "description": "", "completed": False},
        {"title": "x", "description": None},
    ],
)
def test_a_task_is_created_as_sent_up_to_every_limit(alice: FlaskClient, sent: dict[str, Any]) -> None:
    task = create(alice, **sent)
    assert {"description": None, "completed": False, **sent}.items() <= task.items()
    assert alice.get(TASKS).json == [task]


@pytest.mark.parametrize(
    "text",
    [" x ", "a\r\nb\tc\n", "\x01\x1f\x7f\x85", "\u2028\u2029\ufeff\ufffe\uffff", "e\u0301 é", "Å Å ﬁ", "مهمة 任务",
     "👩‍👩‍👧‍👦", "\U0010ffff",
     "%s %(x)s {x} $1 :x ?", "'; DROP TABLE tasks; --", '\\" \\u0000 \\', "<script>&amp;</script>", "null"],
)  # fmt: skip
def test_strings_come_back_exactly_as_sent(alice: FlaskClient, text: str) -> None:
    task = create(alice, title=text, description=text)
    location = f"{TASKS}/{task['id']}"
    changed = alice.put(location, json={"title": text, "description": text}).json
    for answer in (task, changed, alice.get(location).json, alice.get(TASKS).json[0]):
        assert (answer["title"], answer["description"]) == (text, text)


def test_a_user_without_tasks_has_an_empty_list(alice: FlaskClient) -> None:
    response = alice.get(TASKS)
    assert (response.status_code, response.content_type, response.json) == (200, "application/json", [])


def test_a_list_is_newest_first_by_creation_and_then_by_id(alice: FlaskClient, clock: list[datetime]) -> None:
    for seconds in (0, 2, 2, 1):
        clock.append(NOON + timedelta(seconds=seconds))
        create(alice)
    assert [task["id"] for task in alice.get(TASKS).json] == [3, 2, 4, 1]


def test_a_list_holds_the_tasks_of_the_status_asked_for(alice: FlaskClient) -> None:
    done, open_ = create(alice, completed=True), create(alice)
    assert alice.get(f"{TASKS}?status=completed").json == [done]
    assert alice.get(f"{TASKS}?status=pending").json == [open_]
    assert alice.get(f"{TASKS}?status=all").json == alice.get(TASKS).json == [open_, done]


@pytest.mark.parametrize(
    "changes",
    [{"title": "New"}, {"description": "New"}, {"description": None}, {"completed": True}, {"completed": False},
     {"title": "Old", "description": "Old", "completed": False}, {"title": "New", "description": None,
     "completed": True}],
)  # fmt: skip
def test_an_update_changes_just_the_fields_sent_and_moves_updated_at(
    alice: FlaskClient, changes: dict[str, Any]
) -> None:
    task = create(alice, title="Old", description="Old")
    response = alice.put(f"{TASKS}/1", json=changes)
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == {**task, **changes, **touched(response.json)}
    assert response.json["updated_at"] > task["updated_at"]
    assert alice.get(f"{TASKS}/1").json == response.json


@pytest.mark.parametrize(
    "body", [{}, {"id": 7, "user_id": "bob", "created_at": "x", "updated_at": None}, {"colour": "red"}]
)
def test_an_update_without_a_known_field_leaves_the_task_as_it_is(alice: FlaskClient, body: dict[str, Any]) -> None:
    task = create(alice)
    response = alice.put(f"{TASKS}/1", json=body)
    assert (response.status_code, response.json) == (200, task)


def test_a_whole_task_can_be_sent_back(alice: FlaskClient) -> None:
    task = create(alice, description="Two litres")
    changed = alice.put(f"{TASKS}/1", json={**task, "title": "Buy tea", "id": 5, "user_id": "bob"}).json
    assert changed == {**task, "title": "Buy tea", **touched(changed)}
    copy = alice.post(TASKS, json=changed).json
    assert copy == {**changed, "id": 2, "key": "2", "created_at": copy["created_at"], **touched(copy)}


def test_a_toggle_flips_completed_there_and_back(alice: FlaskClient) -> None:
    before = create(alice)
    for completed in (True, False):
        response = alice.patch(f"{TASKS}/1/complete")
        assert (response.status_code, response.content_type) == (200, "application/json")
        assert response.json == {**before, "completed": completed, **touched(response.json)}
        assert response.json["updated_at"] > before["updated_at"]
        before = response.json
    assert alice.get(f"{TASKS}/1").json == before


def test_a_deleted_task_is_gone_and_a_second_delete_is_not_found(alice: FlaskClient) -> None:
    create(alice)
    response = alice.delete(f"{TASKS}/1")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert_error(alice.delete(f"{TASKS}/1"), 404, "Task with id 1 not found")
    assert alice.get(TASKS).json == []


def test_an_id_is_never_used_again_also_after_a_delete(alice: FlaskClient) -> None:
    for expected in (1, 2, 3):
        assert create(alice)["id"] == expected
        alice.delete(f"{TASKS}/{expected}")


@pytest.mark.parametrize(
    ("sent", "named"),
    [("999", "999"), ("0", "0"), ("-0", "0"), ("-1", "-1"), ("007", "7"), ("-007", "-7"),
     (str(2**63 - 1), str(2**63 - 1)), (str(2**63), str(2**63)), (str(-(2**63) - 1), str(-(2**63) - 1)),
     ("1" * 5000, "1" * 20), ("-" + "9" * 5000, "-" + "9" * 20), ("0" * 5000 + "8", "8")],
)  # fmt: skip
def test_an_id_of_no_task_is_named_in_canonical_form_and_cut(alice: FlaskClient, sent: str, named: str) -> None:
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("PATCH", "/complete")):
        response = alice.open(f"{TASKS}/{sent}{path}", method=method, json={"title": "x"})
        assert_error(response, 404, f"Task with id {named} not found")


def test_leading_zeros_name_the_same_task(alice: FlaskClient) -> None:
    assert create(alice) == alice.get(f"{TASKS}/{'0' * 5000}1").json


def test_head_answers_as_get_without_a_body(alice: FlaskClient) -> None:
    create(alice)
    for path in (TASKS, f"{TASKS}/1", f"{TASKS}/2", "/health", "/health/db", "/openapi.json"):
        head, get = alice.head(path), alice.get(path)
        for response in (head, get):
            response.headers.pop("X-Request-ID", None)
        assert (head.status_code, head.headers, head.data) == (get.status_code, get.headers, b"")


def test_an_operation_without_a_body_ignores_one(alice: FlaskClient) -> None:
    create(alice)
    for method, path in (("GET", ""), ("GET", "/1"), ("PATCH", "/1/complete"), ("DELETE", "/1")):
        response = alice.open(TASKS + path, method=method, data=b"{", content_type="text/plain")
        assert response.status_code in {200, 204}


@pytest.mark.parametrize("moved_by", [timedelta(0), timedelta(days=-1)], ids=["frozen", "backward"])
def test_updated_at_moves_strictly_forward_whatever_the_clock_does(
    alice: FlaskClient, clock: list[datetime], moved_by: timedelta
) -> None:
    times = [create(alice)["updated_at"]]
    clock.append(NOON + moved_by)
    times += [alice.put(f"{TASKS}/1", json={"title": "x"}).json["updated_at"] for _ in range(3)]
    times += [alice.patch(f"{TASKS}/1/complete").json["updated_at"] for _ in range(3)]
    assert times == [f"2026-01-16T12:00:00.{fraction}Z" for fraction in range(123456, 123463)]
    clock.append(NOON + timedelta(hours=1))
    task = alice.put(f"{TASKS}/1", json={"title": "x"}).json
    assert (task["created_at"], task["updated_at"]) == (times[0], "2026-01-16T13:00:00.123456Z")


@pytest.mark.parametrize("microsecond", [0, 1, 120000, 999999])
def test_a_time_keeps_six_digits(alice: FlaskClient, clock: list[datetime], microsecond: int) -> None:
    clock.append(NOON.replace(microsecond=microsecond))
    task = create(alice)
    assert task["created_at"] == task["updated_at"] == f"2026-01-16T12:00:00.{microsecond:06}Z"
    assert alice.get(f"{TASKS}/1").json == task
    assert alice.get(TASKS).json == [task]
    assert alice.get(f"{TASKS}/changes").json["changes"] == [task]
    unchanged = {"operations": [{"op": "put", "key": "1", "data": {"title": task["title"]}}]}
    assert alice.post(f"{TASKS}/batch", json=unchanged).json["results"] == [{"status": 200, "task": task}]


@pytest.mark.parametrize("setting", ["TimeZone TO 'Asia/Tokyo'", "DateStyle TO 'German'"])
def test_how_the_database_writes_times_changes_none(postgres: Postgres, clock: list[datetime], setting: str) -> None:
    with postgres.database() as url:
        postgres.execute(f'ALTER DATABASE "{url.database}" SET {setting}')
        with disposed(migrated(make_app(url))) as app:
            alice = client_for(app, "alice")
            task = create(alice)
            assert task["created_at"] == "2026-01-16T12:00:00.123456Z"
            assert alice.get(TASKS).json == [task]
            completion = {"operations": [{"op": "put", "key": "1", "data": {"completed": True}}]}
            [result] = alice.post(f"{TASKS}/batch", json=completion).json["results"]
            assert result["task"]["created_at"] == task["created_at"]
            assert alice.get(f"{TASKS}/changes").json["changes"] == [result["task"]]


def test_a_whole_second_keeps_six_digits_beside_another_time(alice: FlaskClient, clock: list[datetime]) -> None:
    clock.append(NOON.replace(microsecond=0))
    create(alice)
    clock.append(NOON)
    task = alice.patch(f"{TASKS}/1/complete").json
    assert (task["created_at"], task["updated_at"]) == ("2026-01-16T12:00:00.000000Z", "2026-01-16T12:00:00.123456Z")
