"""Tasks of alice's, by the client of a test."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

TASKS = "/api/alice/tasks"
# The application's time where a test stops it.
NOON = datetime(2026, 1, 16, 12, 0, 0, 123456, UTC)


def create(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    response = client.post(TASKS, json={"title": "Buy milk", **fields})
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json
    return task


def pages(client: FlaskClient, path: str) -> Iterator[Any]:
    """What each page holds, by following `Link`; read only as far as they are asked for."""
    for _ in range(100):
        response = client.get(path)
        assert response.status_code == 200, response.text
        yield response.json
        if "Link" not in response.headers:
            return
        link = re.fullmatch(r'<(/api/[^>]*)>; rel="next"', response.headers["Link"])
        assert link
        path = link[1]
    pytest.fail("the pages do not end")
