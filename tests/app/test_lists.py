"""Filters and orders of a list, also together and over many pages."""

import random
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from tests.app.model import ORDERS
from tests.support.tasks import TASKS, pages

Task = dict[str, Any]


@pytest.fixture
def tasks(alice: FlaskClient, bob: FlaskClient) -> list[Task]:
    """Forty tasks of alice's; what bob has is the same, and in no list of hers."""
    chance = random.Random(1)
    dues = [
        None,
        None,
        "2026-12-01",
        "2026-12-01T00:00",
        "2026-12-01T17:00",
        "2026-12-02",
        "0001-01-01",
        "9999-12-31T23:59",
    ]
    operations = [
        {
            "op": "put",
            "key": f"k{number}",
            "data": {
                "title": "x",
                "completed": chance.random() < 0.4,
                "due": chance.choice(dues),
                "priority": chance.randrange(4),
                "tags": chance.sample(["home", "shop", "b,c", '"', "{}", "é"], chance.randrange(4)),
            },
        }
        for number in range(40)
    ]
    for client, name in ((alice, "alice"), (bob, "bob")):
        assert client.post(f"/api/{name}/tasks/batch", json={"operations": operations}).status_code == 200
    for number in chance.sample(range(1, 41), 10):
        alice.put(f"{TASKS}/{number}", json={"title": "y"})
    return alice.get(TASKS).json


def listed(client: FlaskClient, query: str) -> list[Task]:
    """The tasks on all pages."""
    return [task for page in pages(client, f"{TASKS}?{query}") for task in page]


@pytest.mark.parametrize("sort", ORDERS)
def test_each_order_is_kept_over_all_pages(alice: FlaskClient, tasks: list[Task], sort: str) -> None:
    by, reverse = ORDERS[sort]
    for status, wanted in (("all", {True, False}), ("completed", {True}), ("pending", {False})):
        expected = sorted((task for task in tasks if task["completed"] in wanted), key=by, reverse=reverse)
        for limit in (1, 3, 7, 1000):
            assert listed(alice, f"sort={sort}&status={status}&limit={limit}") == expected, (status, limit)


def test_filters_hold_together(alice: FlaskClient, tasks: list[Task]) -> None:
    chance = random.Random(2)
    filters: dict[str, Any] = {
        "tag=home": lambda task: "home" in task["tags"],
        "tag=b%2Cc": lambda task: "b,c" in task["tags"],
        f"tag={quote('é')}&tag=%22": lambda task: {"é", '"'} <= set(task["tags"]),
        "priority=0": lambda task: task["priority"] == 0,
        "priority=3": lambda task: task["priority"] == 3,
        "due_from=2026-12-01": lambda task: (task["due"] or "") >= "2026-12-01",
        "due_to=2026-12-01": lambda task: task["due"] and task["due"][:10] <= "2026-12-01",
        "due_from=0001-01-01&due_to=9999-12-31": lambda task: task["due"] is not None,
        "status=completed": lambda task: task["completed"],
    }
    for _ in range(60):
        chosen = chance.sample(list(filters), chance.randrange(1, 4))
        if sum(name.startswith("priority") for name in chosen) > 1 or sum("due_" in name for name in chosen) > 1:
            continue
        sort = chance.choice(list(ORDERS))
        by, reverse = ORDERS[sort]
        expected = [task for task in tasks if all(filters[name](task) for name in chosen)]
        query = "&".join([*chosen, f"sort={sort}", f"limit={chance.randrange(1, 6)}"])
        assert listed(alice, query) == sorted(expected, key=by, reverse=reverse), query


def test_a_due_to_holds_what_is_due_at_any_time_of_that_day(alice: FlaskClient) -> None:
    for due in ("2026-11-30T23:59", "2026-12-01", "2026-12-01T00:00", "2026-12-01T23:59", "2026-12-02", None):
        alice.post(TASKS, json={"title": "x", "due": due})
    assert [task["id"] for task in alice.get(f"{TASKS}?due_from=2026-12-01&due_to=2026-12-01&sort=due").json] == [
        2,
        3,
        4,
    ]
    assert [task["id"] for task in alice.get(f"{TASKS}?sort=due").json] == [1, 2, 3, 4, 5, 6]
    assert alice.get(f"{TASKS}?due_from=2026-12-02&due_to=2026-12-01").json == []


def test_the_link_repeats_every_filter_and_the_order(alice: FlaskClient) -> None:
    for _ in range(3):
        alice.post(TASKS, json={"title": "x", "due": "2026-12-01T17:00", "priority": 1, "tags": ["a b", "é"]})
    query = "limit=1&sort=due&tag=a%20b&tag=%C3%A9&status=pending&priority=1&due_from=2026-01-01&due_to=2026-12-31&x=y"
    assert alice.get(f"{TASKS}?{query}").headers["Link"] == (
        f"<{TASKS}?status=pending&limit=1&priority=1&due_from=2026-01-01&due_to=2026-12-31&sort=due&tag=a+b&tag=%C3%A9"
        '&cursor=1066268971_1>; rel="next"'
    )
    assert len(listed(alice, query)) == 3


@pytest.mark.parametrize("sort", ORDERS)
def test_every_cursor_is_a_position_in_every_order(alice: FlaskClient, tasks: list[Task], sort: str) -> None:
    for number in ("0", "-1", "1", "-" + "9" * 18, "9" * 18, "5262668639", "5262668640", "1441"):
        found = [alice.get(f"{TASKS}?sort={sort}&cursor={number}_{task_id}") for task_id in ("0", "5", "9" * 19)]
        assert {response.status_code for response in found} == {200}, number
        lengths = [len(response.json) for response in found]
        assert lengths in (sorted(lengths), sorted(lengths)[::-1]), number


def test_past_an_end_means_that_end(alice: FlaskClient, tasks: list[Task]) -> None:
    for sort, start, end in (("due", "-1_1", "9" * 18 + "_" + "9" * 19), ("-priority", "9_9", "-1_1")):
        assert len(alice.get(f"{TASKS}?sort={sort}&cursor={start}").json) == 40
        assert alice.get(f"{TASKS}?sort={sort}&cursor={end}").json == []
    without_due = [task["id"] for task in alice.get(f"{TASKS}?sort=due&cursor=9999999999_0").json]
    assert without_due == sorted(task["id"] for task in tasks if task["due"] is None)


def test_of_a_filter_sent_twice_the_last_counts_and_of_tags_all(alice: FlaskClient, tasks: list[Task]) -> None:
    assert alice.get(f"{TASKS}?priority=0&priority=3").json == alice.get(f"{TASKS}?priority=3").json
    both = [task for task in tasks if {"home", "shop"} <= set(task["tags"])]
    assert alice.get(f"{TASKS}?tag=home&tag=shop&tag=home").json == both != []
