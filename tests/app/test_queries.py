"""What is wrong with a query is said: all of it, in the order of the parameters."""

import pytest
from flask.testing import FlaskClient

from tests.support.errors import INTEGER, Problem, assert_invalid, assert_problems
from tests.support.marks import one_database
from tests.support.tasks import TASKS

LOW_LIMIT = ("greater_than_equal", "Input should be greater than or equal to 1")
HIGH_LIMIT = ("less_than_equal", "Input should be less than or equal to 1000")
STATUS = ("string_pattern_mismatch", "Input should be 'all', 'pending' or 'completed'")
CURSOR = ("string_pattern_mismatch", "Input should be a cursor from a Link header (^-?[0-9]{1,18}_[0-9]{1,19}$)")

NO_STATUSES = ["", "done", "ALL", "all%20", "all%00", "%ff"]
NO_INTEGERS = [
    "",
    "x",
    "1.0",
    "1e3",
    "%2B1",
    "+1",
    "1%20",
    "1_0",
    "0x1",
    "--1",
    "-",
    "%EF%BC%91",
    "%D9%A1",
    "1%00",
    "1%0A",
]
NO_CURSORS = [
    "",
    "_",
    "1",
    "1_",
    "_1",
    "1_-1",
    "+1_1",
    "1__1",
    "1_1%0A",
    " 1_1",
    "1" * 19 + "_1",
    "1_" + "1" * 20,
    "%EF%BC%91_1",
]
QUERIES: list[tuple[str, list[Problem]]] = [
    *[(f"status={value}", [("query.status", STATUS)]) for value in NO_STATUSES],
    *[(f"limit={value}", [("query.limit", INTEGER)]) for value in NO_INTEGERS],
    *[(f"limit={value}", [("query.limit", LOW_LIMIT)]) for value in ("0", "-0", "-1", "00", "-" + "9" * 5000)],
    *[(f"limit={value}", [("query.limit", HIGH_LIMIT)]) for value in ("1001", "9" * 19, "1" + "0" * 5000)],
    *[(f"cursor={value}", [("query.cursor", CURSOR)]) for value in NO_CURSORS],
    ("cursor=x&limit=0&status=x", [("query.status", STATUS), ("query.limit", LOW_LIMIT), ("query.cursor", CURSOR)]),
    ("limit=5&limit=0", [("query.limit", LOW_LIMIT)]),
    ("limit=5&limit", [("query.limit", INTEGER)]),
    ("limit=5&%6Cimit=x", [("query.limit", INTEGER)]),
]


@one_database
@pytest.mark.parametrize(("query", "problems"), QUERIES, ids=[query[:40] for query, _ in QUERIES])
def test_a_query_is_refused_with_all_its_problems_in_order(
    alice: FlaskClient, query: str, problems: list[Problem]
) -> None:
    assert_problems(alice.get(TASKS, query_string=query), *problems)


@pytest.mark.parametrize(
    "query", ["limit=0&limit=5", "status=x&status=all", "LIMIT=x", "limi=x", "limit=01000", "&&=&", "?", "%ff=%ff"]
)
def test_the_last_of_duplicates_counts_and_unknown_parameters_do_not(alice: FlaskClient, query: str) -> None:
    assert alice.get(TASKS, query_string=query).json == []


FILTERS = [
    ("sort=", [("query.sort", "string_pattern_mismatch")]),
    ("sort=priority", [("query.sort", "string_pattern_mismatch")]),
    ("sort=-due", [("query.sort", "string_pattern_mismatch")]),
    ("tag=", [("query.tag.0", "string_too_short")]),
    ("tag=a&tag=" + "x" * 51, [("query.tag.1", "string_too_long")]),
    ("tag=%00", [("query.tag.0", "string_unicode")]),
    ("&".join(["tag=a"] * 21), [("query.tag", "too_long")]),
    ("priority=4", [("query.priority", "less_than_equal")]),
    ("priority=-1", [("query.priority", "greater_than_equal")]),
    ("priority=high", [("query.priority", "int_parsing")]),
    ("priority=", [("query.priority", "int_parsing")]),
    ("due_from=2026-12-01T17:00", [("query.due_from", "date_parsing")]),
    ("due_to=2026-02-30", [("query.due_to", "date_parsing")]),
    ("due_to=", [("query.due_to", "date_parsing")]),
    (
        "limit=0&tag=&due_from=x&sort=x",
        [
            ("query.limit", "greater_than_equal"),
            ("query.tag.0", "string_too_short"),
            ("query.due_from", "date_parsing"),
            ("query.sort", "string_pattern_mismatch"),
        ],
    ),
]
FEED = [
    ("since=-1", [("query.since", "greater_than_equal")]),
    ("since=x&after=1.0", [("query.since", "int_parsing"), ("query.after", "int_parsing")]),
    (f"since={2**53}", [("query.since", "less_than_equal")]),
    (f"after={2**53}", [("query.after", "less_than_equal")]),
    ("since=", [("query.since", "int_parsing")]),
    ("limit=0", [("query.limit", "greater_than_equal")]),
    ("limit=1001", [("query.limit", "less_than_equal")]),
    ("wait=-1", [("query.wait", "greater_than_equal")]),
    ("wait=26", [("query.wait", "less_than_equal")]),
    ("wait=1.5", [("query.wait", "int_parsing")]),
    (f"since={'9' * 5000}", [("query.since", "less_than_equal")]),
    (
        "wait=x&limit=x&after=x&since=x",
        [(f"query.{name}", "int_parsing") for name in ("since", "after", "limit", "wait")],
    ),
]


@one_database
@pytest.mark.parametrize(
    ("path", "problems"),
    [
        *[(f"{TASKS}?{query}", problems) for query, problems in FILTERS],
        *[(f"{TASKS}/changes?{query}", problems) for query, problems in FEED],
    ],
)
def test_filters_and_the_query_of_the_feed_are_refused_with_all_their_problems_in_order(
    alice: FlaskClient, path: str, problems: list[tuple[str, str]]
) -> None:
    assert_invalid(alice.get(path), *problems)
