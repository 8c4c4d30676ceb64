"""Pages of a list: bounded, linked, and true to what was there throughout, whatever others write meanwhile."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from tests.support.errors import assert_invalid
from tests.support.tasks import TASKS, create, pages
from todo_api.platform.db.engine import db
from todo_api.tasks.model import Task

START = datetime(2026, 1, 16, tzinfo=UTC)


def ids_of_pages(client: FlaskClient, path: str) -> Iterator[list[int]]:
    """The ids on each page."""
    return ([task["id"] for task in page] for page in pages(client, path))


def fill(app: Flask, count: int, *, at_once: int = 1) -> None:
    """Tasks of alice, the last the newest; `at_once` of them share each time, every other is completed."""
    with app.app_context(), db.engine.begin() as connection:
        values = [
            {
                "user_id": "alice",
                "title": "x",
                "completed": bool(number % 2),
                "created_at": START + timedelta(seconds=number // at_once),
                "updated_at": START,
            }
            for number in range(count)
        ]
        connection.execute(insert(Task), values)


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 1000])
@pytest.mark.parametrize("at_once", [1, 7])
def test_the_pages_together_are_the_list(app: Flask, alice: FlaskClient, limit: int, at_once: int) -> None:
    fill(app, 7, at_once=at_once)
    for status, ids in (("all", [7, 6, 5, 4, 3, 2, 1]), ("completed", [6, 4, 2]), ("pending", [7, 5, 3, 1])):
        found = list(ids_of_pages(alice, f"{TASKS}?status={status}&limit={limit}"))
        assert found == [ids[at : at + limit] for at in range(0, len(ids), limit)]


def test_a_list_holds_at_most_1000_tasks_unless_fewer_are_asked_for(app: Flask, alice: FlaskClient) -> None:
    fill(app, 1001)
    assert [len(page) for page in pages(alice, TASKS)] == [1000, 1]
    assert [len(page) for page in pages(alice, f"{TASKS}?limit=1000")] == [1000, 1]
    assert [len(page) for page in pages(alice, f"{TASKS}?limit=999")] == [999, 2]
    alice.delete(f"{TASKS}/1")
    assert [len(page) for page in pages(alice, TASKS)] == [1000]


@pytest.mark.parametrize(
    ("sent", "repeated"),
    [
        ("limit=1", "limit=1&"),
        ("status=pending&limit=1", "status=pending&limit=1&"),
        ("limit=01&status=all", "status=all&limit=01&"),
        ("limit=9&limit=1&status=x&status=all&colour=red", "status=all&limit=1&"),
        ("limit=1&cursor=999999999999999999_1", "limit=1&"),
    ],
)
def test_a_link_is_relative_and_repeats_status_and_limit(
    app: Flask, alice: FlaskClient, sent: str, repeated: str
) -> None:
    fill(app, 3)
    response = alice.get(f"{TASKS}?{sent}", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    newest = int((START + timedelta(seconds=2)).timestamp()) * 1_000_000
    assert response.headers["Link"] == f'<{TASKS}?{repeated}cursor={newest}_3>; rel="next"'


@pytest.mark.parametrize(
    ("cursor", "ids"),
    [
        ("999999999999999999_9999999999999999999", [2, 1]),
        ("999999999999999999_0", [2, 1]),
        ("253402300799999999_9223372036854775808", [2, 1]),
        ("253402300800000000_1", [2, 1]),
        ("-999999999999999999_9999999999999999999", []),
        ("-62135596800000000_0", []),
        ("-62135596800000001_1", []),
        ("0_0", []),
        ("-0_00000", []),
        (f"{int(START.timestamp())}000000_3", [2, 1]),
        (f"{int(START.timestamp())}000000_2", [1]),
        (f"{int(START.timestamp())}000000_1", []),
        (f"0{int(START.timestamp())}000000_0002", [1]),
    ],
)
def test_every_cursor_of_the_documented_pattern_is_a_position(
    app: Flask, alice: FlaskClient, cursor: str, ids: list[int]
) -> None:
    fill(app, 2, at_once=2)
    document = alice.get("/openapi.json").json
    parameters = document["paths"]["/api/{user_id}/tasks"]["get"]["parameters"]
    [pattern] = [parameter["schema"]["pattern"] for parameter in parameters if parameter.get("name") == "cursor"]
    assert re.search(pattern, cursor)
    assert list(ids_of_pages(alice, f"{TASKS}?cursor={cursor}")) == [ids]
    assert_invalid(alice.get(f"{TASKS}?cursor={cursor}x"), ("query.cursor", "string_pattern_mismatch"))


@pytest.mark.parametrize("at_once", [1, 50])
def test_pages_repeat_and_skip_nothing_while_others_write_at_every_boundary(
    app: Flask, alice: FlaskClient, at_once: int
) -> None:
    fill(app, 50, at_once=at_once)
    stays, seen = {number for number in range(1, 51) if number % 3}, []
    for page in ids_of_pages(alice, f"{TASKS}?limit=4"):
        seen += page
        # The position itself, its neighbours, and new tasks at the head.
        for number in range(page[-1] - 2, page[-1] + 3):
            if number not in stays:
                alice.delete(f"{TASKS}/{number}")
        alice.post(TASKS, json={"title": "new"})
    assert [number for number in seen if number in stays] == sorted(stays, reverse=True)
    assert len(seen) == len(set(seen))


def test_pages_hold_what_was_there_throughout_while_threads_insert_and_delete(
    app: Flask, client_of: Callable[[str], FlaskClient]
) -> None:
    fill(app, 60)
    stop = threading.Event()

    def write(client: FlaskClient) -> None:
        for number in range(3, 61, 3):
            client.delete(f"{TASKS}/{number}")
            client.delete(client.post(TASKS, json={"title": "new"}).headers["Location"])
            if stop.is_set():
                return

    writers = [threading.Thread(target=write, args=(client_of("alice"),)) for _ in range(3)]
    for writer in writers:
        writer.start()
    stays = [number for number in range(60, 0, -1) if number % 3]
    try:
        for _ in range(3):
            seen = [number for page in ids_of_pages(client_of("alice"), f"{TASKS}?limit=7") for number in page]
            assert [number for number in seen if number in stays] == stays
            assert len(seen) == len(set(seen))
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_a_clock_set_back_between_two_tasks_loses_neither(alice: FlaskClient, clock: list[datetime]) -> None:
    for seconds in (10, 0, 5):
        clock.append(START + timedelta(seconds=seconds))
        create(alice)
    assert list(ids_of_pages(alice, f"{TASKS}?limit=1")) == [[1], [3], [2]]
