"""What no honest client sends: it is refused in the contract's words or served, and never a fault of ours."""

import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from tests.support.errors import assert_error, assert_invalid
from tests.support.marks import one_database
from tests.support.tasks import TASKS

JSON = "application/json"


@one_database
@pytest.mark.parametrize(
    "body",
    [b"{", b"x", b" ", b"\n", b"{'title': 'x'}", b'{"title": "x"', b'{"title": "x",}', b'{"title": "x"} {}',
     b'{"title": x}', b'{title: "x"}',
     b'{"title": "x", "n": NaN}', b'{"title": "x", "n": Infinity}', b'{"title": "x", "n": -Infinity}',
     b'{"title": "x", "n": 01}',
     b'{"title": "x", "n": ' + b"1" * 5000 + b"}", b'{"title": ' + b"-" + b"9" * 5000 + b"}", b'{"title": "a\nb"}',
     b'{"title": "\\x"}',
     b'{"title": "\\ud80"}', b'\xef\xbb\xbf{"title": "x"}', b'{"title": "\xff"}', b'{"title": "\xed\xa0\x80"}',
     b'{"title": "\xc0\x80"}',
     '{"title": "x"}'.encode("utf-16"), '{"title": "x"}'.encode("utf-16-le"), '{"title": "x"}'.encode("utf-32"), b"\0",
     b"\x1f\x8b",
     b"[" * 100_000, b'{"a":' * 100_000, b'{"title": "x", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     b'{"title": "x", "n": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
     b'\x0b{"title": "x"}', b'{"title": "x"}\0', b"// x\n{}", b"title=x"],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_a_body_that_is_not_json_in_utf_8_is_refused(alice: FlaskClient, body: bytes) -> None:
    for method, path in (("POST", TASKS), ("PUT", f"{TASKS}/1")):
        assert_invalid(alice.open(path, method=method, data=body, content_type=JSON), ("body", "json_invalid"))


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b'{"title": "\\ud83d\\ude00"}', "😀"),
        (b'{"title": "a", "title": "b"}', "b"),
        (b'{"title": "\\ud800", "title": "b"}', "b"),
        (b'{"title": 1, "\\u0074itle": "b"}', "b"),
        (b'{"title": "x", "Title": 1, "__proto__": {}, "": null}', "x"),
        (b'{"title": "x", "\\u0000": "\\ud800", "\\udfff": "\\u0000"}', "x"),
        (b' \t\r\n{"title": "x"}\n ', "x"),
        (b'{"title": "x", "n": 1e999, "m": -1e-999}', "x"),
        (b'{"title": "x", "n": ' + b"1" * 4300 + b"}", "x"),
        (b'{"title": "x", "n": ' + b"[" * 100 + b"]" * 100 + b"}", "x"),
        (b'{"title": "x", "completed": 1, "completed": true, "completed": false}', "x"),
        (b'{"title": "x"' + b"".join(b',"%x":0' % number for number in range(100_000)) + b"}", "x"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_odd_but_json_is_served(alice: FlaskClient, body: bytes, title: str) -> None:
    response = alice.post(TASKS, data=body, content_type=JSON)
    assert (response.status_code, response.json["title"]) == (201, title)


@one_database
@pytest.mark.parametrize("body", [b"", None])
@pytest.mark.parametrize("declared", [JSON, "text/plain", None])
def test_no_body_at_all_is_missing_however_it_is_declared(
    alice: FlaskClient, body: bytes | None, declared: str | None
) -> None:
    for method, path in (("POST", TASKS), ("PUT", f"{TASKS}/1")):
        response = alice.open(path, method=method, data=body, content_type=declared)
        assert_invalid(response, ("body", "missing"))


def test_a_chunked_body_counts_as_it_is_received(alice: FlaskClient) -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    for body, status in ((b'{"title": "x"}', 201), (b"", 422), (b"{}".ljust(1024 * 1024 + 1), 413)):
        assert alice.post(TASKS, data=body, content_type=JSON, environ_overrides=chunked).status_code == status
    assert_error(alice.post(TASKS, data=b"x", environ_overrides=chunked), 415, "Unsupported Media Type")


@pytest.mark.parametrize(
    "declared",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=latin1",
     "application/json ;x=y; z",
     ' application/json; charset="utf-8"'],
)  # fmt: skip
def test_a_body_declared_as_json_is_read_as_utf_8(alice: FlaskClient, declared: str) -> None:
    response = alice.post(TASKS, data='{"title": "é"}'.encode(), content_type=declared)
    assert (response.status_code, response.json["title"]) == (201, "é")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": ""}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
     {"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Type": "application/x+json"},
     {"Content-Type": "application/problem+json"},
     {"Content-Type": "application/jsonx"}, {"Content-Type": "text/json"}, {"Content-Type": "json"},
     {"Content-Type": "application/json, text/plain"},
     {"Content-Type": "text/plain; application/json"}, {"Content-Type": "*/*"}, {"Content-Type": "\xff"},
     {"Content-Type": JSON, "Content-Encoding": "gzip"}, {"Content-Type": JSON, "Content-Encoding": "identity"},
     {"Content-Type": JSON, "Content-Encoding": ""}],
    ids=str,
)  # fmt: skip
def test_a_body_that_is_not_declared_as_plain_json_is_unsupported(alice: FlaskClient, headers: dict[str, str]) -> None:
    for data in (b'{"title": "x"}', gzip.compress(b'{"title": "x"}'), b"title=x"):
        for method, path in (("POST", TASKS), ("PUT", f"{TASKS}/1"), ("PUT", f"{TASKS}/x")):
            response = alice.open(path, method=method, data=data, headers=headers)
            assert_error(response, 415, "Unsupported Media Type")
    assert alice.get(TASKS).json == []


@pytest.mark.parametrize(
    "user",
    [
        *("7", "0b7cXkQm1nR2sT3uV4wX5yZ6aB7cD8eF", "550e8400-e29b-41d4-a716-446655440000", "auth0|5f7c8ec7c33c6c00"),
        *("a b", " ", "alice@example.com", "urn:x:1", "\U0001f600", "\xe9", "e\u0301", "x" * 255, "\U0001f600" * 255),
        *("a%20b", "%", "%2F", "a+b", "a?b#c", "a;b,c", "'\"<>", "..x", "\\", "a\nb", "alice\n", "\x01", "\ufffe"),
        *("tasks", "None", "{user_id}", "<user_id>", "[::1]"),
    ],
    ids=lambda user: repr(user[:12]),
)
def test_any_user_the_provider_may_issue_has_tasks(client_of: Callable[[str], FlaskClient], user: str) -> None:
    client, path = client_of(user), f"/api/{quote(user, safe='')}/tasks"
    made = [client.post(path, json={"title": "x"}) for _ in range(2)]
    assert [response.status_code for response in made] == [201, 201]
    tasks: list[dict[str, Any]] = [response.json for response in made]
    assert {task["user_id"] for task in tasks} == {user}
    assert made[0].headers["Location"] == f"{path}/1"
    assert client.get(made[0].headers["Location"]).json == tasks[0]
    first = client.get(f"{path}?limit=1")
    assert first.json == [tasks[1]]
    link = first.headers["Link"].removeprefix("<").partition(">")[0]
    assert link.startswith(f"{path}?")
    assert client.get(link).json == [tasks[0]]
    assert client.delete(f"{path}/1").status_code == 204


def test_a_path_that_is_not_encoded_is_understood_all_the_same(client_of: Callable[[str], FlaskClient]) -> None:
    path = "/api/a@b|c:d é/tasks".encode().decode("latin-1")
    assert client_of("a@b|c:d é").get("/", environ_overrides={"PATH_INFO": path}).json == []


@pytest.mark.parametrize(
    "query",
    [
        b"\xff\xfe",
        b"status=\xe9",
        b"limit=\xef\xbc\x91",
        b"cursor=\xd9\xa1_1",
        "status=é".encode(),
        b"\xff=\xff&status=all",
    ],
)
def test_raw_bytes_in_a_query_are_no_fault(alice: FlaskClient, query: bytes) -> None:
    response = alice.get(TASKS, environ_overrides={"QUERY_STRING": query.decode("latin-1")})
    if b"=" in query and query[:1] != b"\xff":
        assert_invalid(response, (f"query.{query.partition(b'=')[0].decode()}", response.json["errors"][0]["type"]))
    else:
        assert response.json == []


def test_a_query_of_very_many_parameters_is_no_fault(alice: FlaskClient) -> None:
    assert alice.get(TASKS, query_string="x=1&" * 5000 + "limit=1").json == []


def test_an_integer_of_very_many_zeros_is_judged_without_trying_each_split_of_them(alice: FlaskClient) -> None:
    """Which would take hours, and hold up all other clients of the worker."""
    zeros = "0" * 2_000_000
    assert_invalid(alice.get(TASKS, query_string=f"limit={zeros}x"), ("query.limit", "int_parsing"))
    assert_invalid(alice.get(TASKS, query_string=f"limit=-{zeros}"), ("query.limit", "greater_than_equal"))
    assert alice.get(TASKS, query_string=f"limit={zeros}5").json == []


@pytest.mark.parametrize("value", ["\0", "\udfff", "a\0b", "\ude00\ud83d", "x" * 199 + "\0"])
def test_what_no_database_stores_is_refused_and_changes_nothing(alice: FlaskClient, value: str) -> None:
    task = alice.post(TASKS, json={"title": "x"}).json
    for name in ("title", "description"):
        data = json.dumps({"title": "y", name: value})
        for method, path in (("POST", TASKS), ("PUT", f"{TASKS}/1")):
            response = alice.open(path, method=method, data=data, content_type=JSON)
            assert_invalid(response, (f"body.{name}", "string_unicode"))
    assert alice.get(TASKS).json == [task]
