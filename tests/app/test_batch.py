"""Batches: a result for each operation, in order, as if each came by itself."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.errors import assert_error, assert_invalid
from tests.support.tasks import TASKS

BATCH = f"{TASKS}/batch"
GONE = "Task with key {} is deleted"
CHANGED = "Task with key {} has changed"


def batch(client: FlaskClient, *operations: Any) -> list[dict[str, Any]]:
    response = client.post(BATCH, json={"operations": operations})
    assert (response.status_code, response.content_type) == (200, "application/json"), response.text
    assert list(response.json) == ["results"]
    results: list[dict[str, Any]] = response.json["results"]
    assert len(results) == len(operations)
    for result in results:
        assert ("detail" in result) == (result["status"] not in {200, 201, 204})
        assert ("errors" in result) == (result["status"] == 422)
    return results


def one(client: FlaskClient, **operation: Any) -> dict[str, Any]:
    [result] = batch(client, operation)
    return result


def put(client: FlaskClient, key: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return one(client, op="put", key=key, data=data, **more)


@pytest.fixture
def task(alice: FlaskClient) -> dict[str, Any]:
    created: dict[str, Any] = alice.post(
        TASKS, json={"title": "Buy milk", "description": "Two litres", "key": "k"}
    ).json
    return created


@pytest.fixture
def tombstone(alice: FlaskClient) -> dict[str, Any]:
    alice.delete(alice.post(TASKS, json={"title": "x", "key": "gone"}).headers["Location"])
    left: dict[str, Any] = alice.get(f"{TASKS}/changes?since=1").json["changes"][-1]
    return left


def test_an_empty_batch_has_no_results(alice: FlaskClient) -> None:
    assert batch(alice) == []


def test_operations_are_done_in_order_each_seeing_those_before(alice: FlaskClient) -> None:
    results = batch(
        alice,
        {"op": "put", "key": "a", "data": {"title": "1"}},
        {"op": "put", "key": "a", "data": {"title": "2"}, "base": {"title": "1"}},
        {"op": "put", "key": "b", "data": {"title": "b", "completed": True, "description": "d"}},
        {"op": "put", "key": "a", "data": {"title": "3"}, "base": {"title": "1"}},
        {"op": "delete", "key": "a"},
        {"op": "put", "key": "a", "data": {"title": "4"}},
        {"op": "delete", "key": "a"},
    )
    assert [result["status"] for result in results] == [201, 200, 201, 412, 200, 410, 204]
    first, second, other, conflict, deleted, gone, nothing = (result["task"] for result in results)
    assert (first["title"], second["title"], conflict["title"]) == ("1", "2", "2")
    assert first["id"] == second["id"] == conflict["id"] == deleted["id"] == gone["id"]
    assert first["revision"] < second["revision"] == conflict["revision"] < deleted["revision"] == gone["revision"]
    assert nothing is None
    assert alice.get(TASKS).json == [other]
    assert alice.get(f"{TASKS}/changes?since=1").json["changes"] == [other, deleted]


def test_a_created_task_is_as_one_created_alone(alice: FlaskClient) -> None:
    result = put(alice, "k", {"title": "x"})
    assert result["status"] == 201
    assert result["task"] == alice.get(f"{TASKS}/1").json
    assert result["task"].keys() == alice.post(TASKS, json={"title": "x"}).json.keys()
    assert (result["task"]["description"], result["task"]["completed"]) == (None, False)


def test_a_put_with_neither_base_nor_revision_overwrites(alice: FlaskClient, task: dict[str, Any]) -> None:
    result = put(alice, "k", {"title": "new", "description": None})
    assert (result["status"], result["task"]["title"], result["task"]["description"]) == (200, "new", None)
    assert result["task"]["updated_at"] > task["updated_at"]
    assert result["task"]["created_at"] == task["created_at"]
    assert alice.get(f"{TASKS}/1").json == result["task"]


def test_a_task_without_a_clients_key_goes_by_its_id(alice: FlaskClient) -> None:
    alice.post(TASKS, json={"title": "x"})
    assert put(alice, "1", {"completed": True})["task"]["completed"]
    assert put(alice, "001", {"title": "y"})["task"]["title"] == "y"
    assert one(alice, op="delete", key="1")["task"]["key"] == "1"
    assert put(alice, "1", {"title": "z"})["status"] == 410


def test_a_task_with_a_key_goes_by_its_id_as_well(alice: FlaskClient, task: dict[str, Any]) -> None:
    results = batch(
        alice,
        {"op": "put", "key": "1", "data": {"title": "by id"}},
        {"op": "put", "key": "k", "data": {"completed": True}},
        {"op": "delete", "key": "1"},
        {"op": "put", "key": "k", "data": {"title": "x"}},
    )
    assert [result["status"] for result in results] == [200, 200, 200, 410]
    assert [result["task"]["key"] for result in results] == ["k"] * 4
    assert results[1]["task"]["title"] == "by id"


@pytest.mark.parametrize("key", ["999", "0", "9" * 19, "9" * 64, "00"])
@pytest.mark.parametrize("more", [{}, {"if_match": 0}, {"if_match": 5}, {"base": {"title": "x"}}])
def test_an_id_of_no_task_is_not_found(alice: FlaskClient, key: str, more: dict[str, Any]) -> None:
    result = put(alice, key, {"title": "x"}, **more)
    assert result == {"status": 404, "task": None, "detail": f"Task with id {str(int(key))[:20]} not found"}


def test_an_unknown_key_with_a_revision_other_than_0_has_changed(alice: FlaskClient) -> None:
    assert put(alice, "k", {"title": "x"}, if_match=5) == {"status": 412, "task": None, "detail": CHANGED.format("k")}
    assert put(alice, "k", {"title": "x"}, if_match=0)["status"] == 201


def test_an_unknown_key_without_a_title_is_not_valid(alice: FlaskClient) -> None:
    error = {"field": "data.title", "message": "Field required", "type": "missing"}
    for data in ({}, {"completed": True}):
        assert put(alice, "k", data) == {"status": 422, "task": None, "detail": "Validation error", "errors": [error]}
    assert alice.get(TASKS).json == []


def test_a_base_does_not_matter_to_a_key_that_the_server_does_not_know(alice: FlaskClient) -> None:
    assert put(alice, "k", {"title": "x"}, base={"title": "other", "completed": True})["status"] == 201


def test_a_repeated_create_that_says_there_is_none_yet_is_refused_with_the_task_where_it_differs(
    alice: FlaskClient,
) -> None:
    created = put(alice, "k", {"title": "x"}, if_match=0)["task"]
    assert put(alice, "k", {"title": "x"}, if_match=0) == {"status": 200, "task": created}
    changed = alice.put(f"{TASKS}/1", json={"title": "y"}).json
    assert put(alice, "k", {"title": "x"}, if_match=0) == {
        "status": 412,
        "task": changed,
        "detail": CHANGED.format("k"),
    }


def test_a_repeated_create_with_what_it_was_first_sent_with_writes_just_what_was_edited_since(
    alice: FlaskClient,
) -> None:
    first = {"title": "x", "description": None, "completed": False}
    put(alice, "k", first, base=first)
    alice.patch(f"{TASKS}/1/complete")
    repeated = put(alice, "k", first, base=first)
    assert (repeated["status"], repeated["task"]["completed"]) == (200, True)
    edited = put(alice, "k", {**first, "title": "y"}, base=first)
    assert (edited["status"], edited["task"]["title"], edited["task"]["completed"]) == (200, "y", True)


def test_changes_of_different_fields_are_both_kept(alice: FlaskClient, task: dict[str, Any]) -> None:
    one_edit = put(alice, "k", {**task, "title": "Buy oat milk"}, base=task)
    other_edit = put(alice, "k", {**task, "completed": True}, base=task)
    assert (one_edit["status"], other_edit["status"]) == (200, 200)
    assert (other_edit["task"]["title"], other_edit["task"]["completed"]) == ("Buy oat milk", True)


def test_two_changes_of_one_field_conflict_unless_they_are_the_same(alice: FlaskClient, task: dict[str, Any]) -> None:
    changed = put(alice, "k", {"title": "one"}, base={"title": task["title"]})["task"]
    assert put(alice, "k", {"title": "one"}, base={"title": task["title"]}) == {"status": 200, "task": changed}
    refused = {"status": 412, "task": changed, "detail": CHANGED.format("k")}
    assert put(alice, "k", {"title": "two"}, base={"title": task["title"]}) == refused
    # One refused field refuses the operation as a whole.
    assert put(alice, "k", {"title": "two", "completed": True}, base={"title": task["title"]}) == refused


def test_a_revision_that_does_not_match_is_refused_unless_all_is_as_wanted(
    alice: FlaskClient, task: dict[str, Any]
) -> None:
    assert put(alice, "k", {"title": "Buy milk"}, if_match=5) == {"status": 200, "task": task}
    assert put(alice, "k", {}, if_match=5) == {"status": 200, "task": task}
    refused = {"status": 412, "task": task, "detail": CHANGED.format("k")}
    assert put(alice, "k", {"title": "new"}, if_match=5) == refused
    assert put(alice, "k", {"title": "new"}, if_match=task["revision"])["status"] == 200


def test_a_put_that_changes_nothing_answers_the_task_with_what_others_changed(
    alice: FlaskClient, task: dict[str, Any]
) -> None:
    changed = alice.put(f"{TASKS}/1", json={"description": "by another"}).json
    assert put(alice, "k", task, base=task) == {"status": 200, "task": changed}


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ({"completed": False}, 200),
        ({"completed": 0}, 412),
        ({"completed": None}, 412),
        ({"completed": "false"}, 412),
        ({"title": "Buy milk", "completed": False, "colour": "red"}, 200),
        ({"title": "Something else"}, 200),
        ({"description": 7, "title": []}, 200),
        ({"completed": {"deep": [1]}}, 412),
        ({"revision": 5, "id": 99, "updated_at": "never"}, 200),
        (None, 200),
        ("text", 200),
        ([], 200),
        (7, 200),
    ],
)
def test_a_base_counts_for_the_fields_that_change_and_is_compared_as_json(
    alice: FlaskClient, task: dict[str, Any], base: Any, status: int
) -> None:
    assert put(alice, "k", {"completed": True}, base=base)["status"] == status


def test_a_delete_answers_the_tombstone_and_a_second_one_nothing(alice: FlaskClient, task: dict[str, Any]) -> None:
    result = one(alice, op="delete", key="k")
    left = result["task"]
    assert result == {"status": 200, "task": left}
    assert left == {
        "id": 1,
        "key": "k",
        "deleted": True,
        "deleted_at": left["deleted_at"],
        "revision": left["revision"],
    }
    assert alice.get(f"{TASKS}/changes?since=1").json["changes"] == [left]
    for key in ("k", "unknown", "1", "999"):
        assert one(alice, op="delete", key=key) == {"status": 204, "task": None}


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"if_match": 5}, 412),
        ({"if_match": 0}, 412),
        ({"if_match": None}, 200),
        ({"base": {"title": "Buy milk", "completed": False}}, 200),
        ({"base": {"title": "Buy tea"}}, 412),
        ({"base": {"completed": 0}}, 412),
        ({"base": {"revision": 5, "colour": "red"}}, 200),
        ({"base": None}, 200),
        ({"data": 7}, 200),
        ({"data": {"title": ""}}, 200),
    ],
)
def test_a_delete_may_have_conditions_and_ignores_data(
    alice: FlaskClient, task: dict[str, Any], condition: dict[str, Any], status: int
) -> None:
    result = one(alice, op="delete", key="k", **condition)
    assert result["status"] == status
    if status == 412:
        assert result == {"status": 412, "task": task, "detail": CHANGED.format("k")}
    assert (alice.get(TASKS).json == []) == (status == 200)


def test_a_put_of_a_deleted_key_is_gone_whatever_its_conditions(alice: FlaskClient, tombstone: dict[str, Any]) -> None:
    gone = {"status": 410, "task": tombstone, "detail": GONE.format("gone")}
    for more in ({}, {"if_match": 0}, {"if_match": 5}, {"base": {"title": "x"}}):
        assert put(alice, "gone", {"title": "x"}, **more) == gone


INVALID: list[tuple[Any, list[tuple[str, str]]]] = [
    (7, [("", "model_attributes_type")]),
    (None, [("", "model_attributes_type")]),
    ([], [("", "model_attributes_type")]),
    ({}, [("op", "missing"), ("key", "missing")]),
    ({"op": "move", "key": "k"}, [("op", "literal_error")]),
    ({"op": None, "key": "k"}, [("op", "literal_error")]),
    ({"op": ["put"], "key": "k"}, [("op", "literal_error")]),
    ({"op": "put", "key": "k"}, [("data", "missing")]),
    ({"op": "put", "key": "k", "data": None}, [("data", "model_attributes_type")]),
    ({"op": "put", "key": "k", "data": []}, [("data", "model_attributes_type")]),
    ({"op": "put", "key": "k", "data": {"title": ""}}, [("data.title", "string_too_short")]),
    (
        {"op": "put", "key": "k", "data": {"title": None, "description": 1, "completed": 1}},
        [("data.title", "string_type"), ("data.description", "string_type"), ("data.completed", "bool_type")],
    ),
    ({"op": "put", "key": "k", "data": {"title": "\ud800"}}, [("data.title", "string_unicode")]),
    ({"op": "put", "key": "k", "data": {"title": "x"}, "if_match": "5"}, [("if_match", "int_type")]),
    ({"op": "put", "key": "k", "data": {"title": "x"}, "if_match": True}, [("if_match", "int_type")]),
    ({"op": "put", "key": "k", "data": {"title": "x"}, "if_match": 1.5}, [("if_match", "int_type")]),
    ({"op": "delete", "key": "k", "if_match": {}}, [("if_match", "int_type")]),
]


@pytest.mark.parametrize(("operation", "problems"), INVALID)
def test_what_is_wrong_with_an_operation_is_said_beside_the_task_as_it_stands(
    alice: FlaskClient, task: dict[str, Any], operation: Any, problems: list[tuple[str, str]]
) -> None:
    before, result, after = batch(
        alice,
        {"op": "put", "key": "before", "data": {"title": "x"}},
        operation,
        {"op": "put", "key": "after", "data": {"title": "x"}},
    )
    assert (before["status"], result["status"], after["status"]) == (201, 422, 201)
    assert [(error["field"], error["type"]) for error in result["errors"]] == problems
    assert result["task"] == (task if isinstance(operation, dict) and "key" in operation else None)
    assert alice.get(f"{TASKS}/1").json == task


def test_an_invalid_operation_on_a_deleted_key_shows_the_tombstone(
    alice: FlaskClient, tombstone: dict[str, Any]
) -> None:
    assert put(alice, "gone", {"title": ""})["task"] == tombstone


def test_messages_are_those_of_the_vocabulary(alice: FlaskClient) -> None:
    messages = [
        error["message"]
        for result in batch(
            alice, {"op": 1, "key": "k"}, {"op": "put", "key": "k", "data": {"title": "x"}, "if_match": "x"}, 7
        )
        for error in result["errors"]
    ]
    assert messages == [
        "Input should be 'put' or 'delete'",
        "Input should be a valid integer",
        "Input should be a valid object",
    ]


@pytest.mark.parametrize("if_match", [3.0, 0.0, -1, 10**30, None])
def test_an_integral_number_is_an_integer(alice: FlaskClient, task: dict[str, Any], if_match: Any) -> None:
    assert put(alice, "k", {"title": "new"}, if_match=if_match)["status"] == (200 if if_match is None else 412)


def test_a_revision_may_be_sent_as_a_number_with_a_fraction_of_0(alice: FlaskClient, task: dict[str, Any]) -> None:
    assert put(alice, "k", {"title": "new"}, if_match=float(task["revision"]))["status"] == 200


def test_what_is_not_writable_is_ignored_in_data_of_whatever_type(alice: FlaskClient, task: dict[str, Any]) -> None:
    data = {"title": "new", "id": "x", "key": 7, "user_id": None, "revision": [], "created_at": {}, "colour": 1}
    result = put(alice, "k", data)
    assert result["status"] == 200
    assert result["task"] == {
        **task,
        "title": "new",
        **{name: result["task"][name] for name in ("updated_at", "revision")},
    }
    assert put(alice, "new", data)["task"]["key"] == "new"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, ("body.operations", "missing")),
        ({"operations": None}, ("body.operations", "list_type")),
        ({"operations": {}}, ("body.operations", "list_type")),
        ({"operations": "x"}, ("body.operations", "list_type")),
        ({"operations": [{}] * 101}, ("body.operations", "too_long")),
        ({"operations": [7] * 5000}, ("body.operations", "too_long")),
        ([], ("body", "model_attributes_type")),
        (7, ("body", "model_attributes_type")),
        (None, ("body", "missing")),
    ],
)
def test_without_an_array_of_operations_the_whole_is_refused(
    alice: FlaskClient, body: Any, problem: tuple[str, str]
) -> None:
    assert_invalid(alice.post(BATCH, json=body), problem)


def test_a_batch_is_refused_as_any_body(alice: FlaskClient, bob: FlaskClient) -> None:
    assert_error(alice.post(BATCH, data="{}"), 415, "Unsupported Media Type")
    assert_invalid(alice.post(BATCH, data="{", content_type="application/json"), ("body", "json_invalid"))
    assert_invalid(alice.post(BATCH, content_type="application/json"), ("body", "missing"))
    assert_error(bob.post(BATCH, json={"operations": []}), 403, "Access denied: You can only access your own resources")
    response = alice.post(BATCH, data=b" " * (2**20 + 1), content_type="application/json")
    assert_error(response, 413, "Content Too Large")


def test_thirty_operations_fit_whatever_they_hold(alice: FlaskClient) -> None:
    operations = [
        {
            "op": "put",
            "key": f"{number:064d}"[1:] + "x",
            "data": {"title": "\x01" * 200, "description": "\x01" * 1000, "completed": False},
            "base": {"title": "😀" * 200, "description": "\x02" * 1000, "completed": False},
            "if_match": 0,
        }
        for number in range(30)
    ]
    assert {result["status"] for result in batch(alice, *operations)} == {201}


def test_a_hundred_operations_of_every_kind_in_one_batch(alice: FlaskClient) -> None:
    keys = [f"k{number}" for number in range(25)]
    created = batch(alice, *({"op": "put", "key": key, "data": {"title": key}} for key in keys))
    assert {result["status"] for result in created} == {201}
    results = batch(
        alice,
        *({"op": "put", "key": key, "data": {"completed": True}} for key in keys),
        *({"op": "put", "key": f"new-{key}", "data": {"title": key}} for key in keys),
        *({"op": "put", "key": f"new-{key}", "data": {"description": "d"}} for key in keys),
        *({"op": "delete", "key": key} for key in keys),
    )
    assert [result["status"] for result in results] == [200] * 25 + [201] * 25 + [200] * 25 + [200] * 25
    feed = alice.get(f"{TASKS}/changes?since=1").json
    assert feed["changes"] == [result["task"] for result in results[50:]]
    assert feed["next"] == feed["changes"][-1]["revision"]
    assert alice.get(TASKS).json == [result["task"] for result in reversed(results[50:75])]


def test_a_user_reaches_no_task_of_another_by_its_id(
    alice: FlaskClient, bob: FlaskClient, task: dict[str, Any]
) -> None:
    operations = [{"op": "put", "key": "1", "data": {"title": "x"}}, {"op": "delete", "key": "1"}]
    results = bob.post("/api/bob/tasks/batch", json={"operations": operations}).json["results"]
    assert [result["status"] for result in results] == [404, 204]
    assert alice.get(f"{TASKS}/1").json == task


def test_a_batch_of_strings_of_every_kind_stores_them_as_sent(alice: FlaskClient) -> None:
    titles = ["\x01\x1f", '"\\', "\u2028", "😀" * 200, "null", "%s :x $1", "{}", "\ufffe", "é e\u0301"]
    results = batch(
        alice,
        *(
            {"op": "put", "key": f"k{i}", "data": {"title": title, "description": title}}
            for i, title in enumerate(titles)
        ),
    )
    assert [result["task"]["title"] for result in results] == titles
    assert [task["description"] for task in reversed(alice.get(TASKS).json)] == titles
