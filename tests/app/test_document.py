"""The OpenAPI document: whole, true and always the same."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import todo_api
from tests.support import other_python
from tests.support.apps import make_app
from tests.support.checkout import ROOT
from tests.support.marks import one_database
from tests.support.processes import run_in_new_process
from tests.support.tasks import TASKS
from tests.support.tokens import SECRET, bearer, token
from todo_api.platform.web.errors import MESSAGES
from todo_api.tasks.examples import REVISION

# What every operation that needs a token may answer besides its success.
COMMON = {"400", "401", "403", "500", "503"}
STATUSES = {
    "list_tasks": {"200", "422", *COMMON},
    "create_task": {"200", "201", "410", "413", "415", "422", *COMMON},
    "get_task": {"200", "304", "404", "422", *COMMON},
    "update_task": {"200", "404", "412", "413", "415", "422", *COMMON},
    "delete_task": {"204", "404", "412", "422", *COMMON},
    "toggle_task": {"200", "404", "412", "422", *COMMON},
    "list_changes": {"200", "410", "422", *COMMON},
    "write_batch": {"200", "413", "415", "422", *COMMON},
    "health": {"200", "400"},
    "database_health": {"200", "400", "503"},
    "index": {"200", "400"},
}
NEEDS_NO_TOKEN = {"health", "database_health", "index"}


@pytest.fixture(scope="module")
def document(sqlite_app: Flask) -> Any:
    return sqlite_app.test_client().get("/openapi.json").json


def operations(document: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def resolved(document: Any, value: Any) -> Any:
    """The value with the component it refers to in its place."""
    while "$ref" in value:
        found = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def examples(media: dict[str, Any]) -> list[Any]:
    return [media["example"]] if "example" in media else [example["value"] for example in media["examples"].values()]


@one_database
def test_the_document_is_served(anonymous: FlaskClient) -> None:
    response = anonymous.get("/openapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert anonymous.get("/openapi.json", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304
    assert anonymous.head("/openapi.json").headers["Content-Length"] == str(len(response.data))


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_printed_document_is_the_one_that_is_served_whatever_the_database_secret_hash_seed_and_python_version(
    seed: str, sqlite_app: Flask, tmp_path: Path
) -> None:
    instance = ROOT / "instance"
    before = set(instance.rglob("*"))
    variables = {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    printed = run_in_new_process(other_python.print_document, folder=tmp_path, **variables).stdout
    assert printed.encode() == sqlite_app.test_client().get("/openapi.json").data
    assert list(tmp_path.iterdir()) == []
    assert set(instance.rglob("*")) == before


def test_each_operation_has_a_name_texts_and_exactly_the_statuses_it_answers(document: Any) -> None:
    found = {operation["operationId"]: set(operation["responses"]) for _, _, operation in operations(document)}
    assert found == STATUSES
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert {tag["name"] for tag in document["tags"]} >= set(operation["tags"])


@one_database
def test_the_bearer_scheme_is_on_exactly_the_operations_that_need_a_token(document: Any, app: Flask) -> None:
    for path, method, operation in operations(document):
        wants = operation["operationId"] not in NEEDS_NO_TOKEN
        assert operation["security"] == ([{"bearerAuth": []}] if wants else [])
        url = path.format(user_id="alice", task_id=1)
        response = app.test_client().open(url, method=method.upper())
        assert (response.status_code == 401) == wants, url


def test_every_answer_and_every_body_has_examples_that_fit_its_schema(document: Any) -> None:
    checked = 0
    for _, _, operation in operations(document):
        documented = [resolved(document, response) for response in operation["responses"].values()]
        for part in (*documented, *filter(None, [operation.get("requestBody")])):
            for media in part.get("content", {}).values():
                assert examples(media)
                for example in examples(media):
                    # The components beside it, so that references resolve.
                    schema = {**media["schema"], "components": document["components"]}
                    jsonschema.Draft202012Validator(schema).validate(example)
                    checked += 1
    assert checked > len(STATUSES)


def test_no_schema_is_there_twice_and_each_has_a_description(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas) == {
        *("Task", "TaskCreate", "TaskUpdate", "ApiError", "ValidationError", "Problem", "Changed", "Deleted"),
        *("Changes", "Tombstone", "Batch", "Operation", "BatchResult", "Written", "Created", "NothingToDelete"),
        *("TaskNotFound", "TaskDeleted", "TaskChanged", "InvalidOperation"),
        *("Health", "DatabaseHealth", "Index"),
    }
    assert all(schema["description"] for schema in schemas.values())
    for name, field in schemas["Task"]["properties"].items():
        assert field["description"], name


def test_limits_are_constraints(document: Any) -> None:
    for name in ("Task", "TaskCreate", "TaskUpdate"):
        schema = document["components"]["schemas"][name]
        title, description = schema["properties"]["title"], schema["properties"]["description"]
        assert (title["type"], title["minLength"], title["maxLength"]) == ("string", 1, 200)
        assert (description["type"], description["maxLength"]) == (["string", "null"], 1000)
        priority, tags, due = (schema["properties"][name] for name in ("priority", "tags", "due"))
        assert (priority["type"], priority["minimum"], priority["maximum"]) == ("integer", 0, 3)
        assert (tags["type"], tags["maxItems"], tags["items"]["maxLength"]) == ("array", 20, 50)
        assert (due["type"], re.match(due["pattern"], "2026-12-01T24:00")) == (["string", "null"], None)
        assert title["pattern"] == description["pattern"] == r"^[^\u0000]*$"
    listing = document["paths"]["/api/{user_id}/tasks"]
    query = {parameter["name"]: parameter["schema"] for parameter in listing["get"]["parameters"]}
    assert list(query) == ["status", "limit", "tag", "priority", "due_from", "due_to", "sort", "cursor"]
    status, limit, cursor = query["status"], query["limit"], query["cursor"]
    assert query["sort"]["enum"] == ["-created", "created", "due", "-priority", "-updated"]
    assert query["tag"]["maxItems"] == 20
    assert query["tag"]["items"].items() >= {"minLength": 1, "maxLength": 50}.items()
    assert status == {"type": "string", "enum": ["all", "pending", "completed"], "default": "all"}
    assert (limit["type"], limit["minimum"], limit["maximum"], limit["default"]) == ("integer", 1, 1000, 1000)
    assert (cursor["type"], cursor["pattern"]) == ("string", "^-?[0-9]{1,18}_[0-9]{1,19}$")
    [user_id] = listing["parameters"]
    assert user_id["schema"] == {
        **{"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^/\u0000]*$", "examples": ["alice"]}
    }
    assert document["components"]["schemas"]["TaskCreate"]["required"] == ["title"]
    assert "required" not in document["components"]["schemas"]["TaskUpdate"]


def test_the_vocabulary_of_problems_is_documented_in_the_schema_and_in_the_guide(document: Any) -> None:
    types = list(MESSAGES)
    assert document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"] == types
    assert set(types) <= set(re.findall("`([a-z_]+)`", document["info"]["description"]))


@one_database
def test_the_version_and_the_licence_are_the_projects(document: Any, anonymous: FlaskClient) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == todo_api.__version__
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert document["servers"][0]["url"] == "/"
    index = anonymous.get("/").json
    assert (index["name"], index["version"]) == (document["info"]["title"], todo_api.__version__)
    for link in index["links"].values():
        assert anonymous.get(link).status_code == 200


# How each documented example of a failed validation comes about; by operation and the example's summary.
MISTAKES: dict[tuple[str, str], Callable[[FlaskClient], TestResponse]] = {
    ("list_tasks", "No such status"): lambda alice: alice.get(f"{TASKS}?status=done"),
    ("list_tasks", "Too large a page"): lambda alice: alice.get(f"{TASKS}?limit=1001"),
    ("list_tasks", "Several at once"): lambda alice: alice.get(f"{TASKS}?status=done&limit=ten&cursor=2"),
    ("create_task", "The body is not JSON"): lambda alice: alice.post(TASKS, data="{", content_type="application/json"),
    ("create_task", "The title is missing"): lambda alice: alice.post(TASKS, json={"description": "Two litres"}),
    ("create_task", "Several at once"): lambda alice: alice.post(
        TASKS, json={"title": "", "completed": "no", "due": "2026-02-30", "tags": ["home", "x" * 51]}
    ),
    ("update_task", "The body is not JSON"): lambda alice: alice.put(
        f"{TASKS}/1", data="{", content_type="application/json"
    ),
    ("update_task", "The title is null"): lambda alice: alice.put(f"{TASKS}/1", json={"title": None}),
    ("update_task", "Too long"): lambda alice: alice.put(
        f"{TASKS}/1", json={"title": "x" * 201, "description": "x" * 1001}
    ),
    ("update_task", "The task's id is not an integer"): lambda alice: alice.put(f"{TASKS}/first", json={}),
    ("get_task", "The task's id is not an integer"): lambda alice: alice.get(f"{TASKS}/first"),
    ("delete_task", "The task's id is not an integer"): lambda alice: alice.delete(f"{TASKS}/first"),
    ("toggle_task", "The task's id is not an integer"): lambda alice: alice.patch(f"{TASKS}/first/complete"),
    ("list_changes", "Several at once"): lambda alice: alice.get(f"{TASKS}/changes?since=-1&wait=26"),
    ("write_batch", "The body is not JSON"): lambda alice: alice.post(
        f"{TASKS}/batch", data="{", content_type="application/json"
    ),
    ("write_batch", "No operations"): lambda alice: alice.post(f"{TASKS}/batch", json={}),
    ("write_batch", "Too many"): lambda alice: alice.post(f"{TASKS}/batch", json={"operations": [None] * 101}),
}


@one_database
def test_each_example_of_a_failed_validation_is_what_is_answered(document: Any, alice: FlaskClient) -> None:
    documented = {
        (operation["operationId"], example["summary"]): example["value"]
        for _, _, operation in operations(document)
        for example in operation["responses"]
        .get("422", {"content": {"application/json": {"examples": {}}}})["content"]["application/json"]["examples"]
        .values()
    }
    assert documented == {name: send(alice).json for name, send in MISTAKES.items()}


def as_documented(document: Any, response: TestResponse, name: str, summary: str) -> None:
    """The answer is this example of this component, and has its headers."""
    component = document["components"]["responses"][name]
    documented = component["content"]["application/json"]["examples"].values()
    by_summary = {example["summary"]: example["value"] for example in documented}
    assert response.json == by_summary[summary]
    assert response.status_code == response.json["status_code"]
    for header, found in component["headers"].items():
        if header in response.headers or resolved(document, found).get("required"):
            schema = resolved(document, found)["schema"]
            value: Any = response.headers[header]
            jsonschema.validate(int(value) if schema["type"] == "integer" else value, schema)


@one_database
def test_each_example_of_another_error_is_what_is_answered(document: Any, alice: FlaskClient, app: Flask) -> None:
    def bearing(token: str) -> TestResponse:
        return app.test_client().get(TASKS, headers={"Authorization": f"Bearer {token}"})

    as_documented(document, app.test_client().get(TASKS), "Unauthorized", "No token")
    as_documented(document, bearing(token("alice", seconds=-60)), "Unauthorized", "Expired")
    as_documented(document, bearing(token("alice", secret=SECRET[::-1])), "Unauthorized", "Invalid")
    as_documented(document, alice.get("/api/bob/tasks"), "Forbidden", "Another user's")
    as_documented(document, alice.get(f"{TASKS}/999"), "NotFound", "No such task")
    as_documented(document, alice.post(TASKS, json={"title": "x" * 2**20}), "ContentTooLarge", "Content Too Large")
    as_documented(document, alice.post(TASKS, data="x"), "UnsupportedMediaType", "Unsupported Media Type")


@one_database
def test_the_example_of_a_forgotten_checkpoint_is_what_is_answered(
    document: Any, alice: FlaskClient, app: Flask
) -> None:
    alice.delete(alice.post(TASKS, json={"title": "x"}).headers["Location"])
    assert app.test_cli_runner().invoke(args=["purge", "--days", "0"]).exit_code == 0
    response = alice.get(f"{TASKS}/changes?since={REVISION}")
    as_documented(document, response, "Forgotten", "Start again")


def test_the_example_of_503_is_what_is_answered_without_a_database(document: Any) -> None:
    client = make_app("postgresql+psycopg2://127.0.0.1:1/none").test_client()
    as_documented(document, client.get(TASKS, headers=bearer("alice")), "ServiceUnavailable", "Service Unavailable")
    unready = client.get("/health/db")
    documented = document["paths"]["/health/db"]["get"]["responses"]["503"]["content"]["application/json"]["example"]
    assert (unready.status_code, unready.json) == (503, documented)


def test_the_examples_of_bodies_are_accepted(document: Any, alice: FlaskClient) -> None:
    create = document["paths"]["/api/{user_id}/tasks"]["post"]["requestBody"]["content"]["application/json"]
    for example in examples(create):
        assert alice.post(TASKS, json=example).status_code == 201
    update = document["paths"]["/api/{user_id}/tasks/{task_id}"]["put"]["requestBody"]["content"]["application/json"]
    for example in examples(update):
        assert alice.put(f"{TASKS}/1", json=example).status_code == 200
