"""The fast way from a path to its rule and werkzeug's own lead to the same."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from tests.support import make_app
from todo_api.platform.web.routing import Adapter, patterns

texts = st.text(st.characters(exclude_characters="/"), max_size=5)
parts = st.sampled_from(["", "api", "alice", "tasks", "1", "complete", "health", "db", "docs", "openapi.json", "%2F"])
paths = st.lists(parts | texts, max_size=7).map("/".join)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


@pytest.fixture(scope="module")
def app() -> Flask:
    return make_app("sqlite://")


def outcome(adapter: MapAdapter) -> Any:
    try:
        rule, values = adapter.match(return_rule=True)
    except HTTPException as error:
        return type(error), dict(error.get_headers()).get("Location"), getattr(error, "valid_methods", None)
    return rule.endpoint, values


@given(paths, methods)
@settings(max_examples=500, derandomize=True, deadline=None)
def test_any_path_leads_to_the_same(app: Flask, path: str, method: str) -> None:
    own = MapAdapter(app.url_map, "", "/", None, "http", path, method)
    assert outcome(Adapter(app.url_map, patterns(app.url_map), path, method)) == outcome(own)


def test_every_task_route_is_found_fast(app: Flask) -> None:
    found = {(method, rule.rule) for method, rules in patterns(app.url_map).items() for _, rule in rules}
    tasks = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if "tasks" in rule.rule
    }
    assert len(tasks) > 10
    assert tasks <= found
