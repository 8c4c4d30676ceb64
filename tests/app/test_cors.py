"""Pages of the origins in the settings may call, with credentials; no others."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL

from tests.support.apps import client_for, make_app
from tests.support.marks import one_database
from tests.support.tasks import TASKS
from todo_api.tasks import store

pytestmark = one_database

ORIGINS = ("http://localhost:3000", "https://todo.example.com", "http://[::1]:3000")
STRANGERS = [
    "http://localhost:3001", "https://localhost:3000", "http://localhost", "https://todo.example.com.evil.com",
    "https://xtodo.example.com",
    "https://todoxexample.com", "https://todo.example.com:443", "http://[::1]:30001", "http://[::1]", "null", "*", "",
    "HTTP://LOCALHOST:3000",
    "http://localhost:3000/", "http://localhost:3000\\@evil.com", "http://:3000", "http://1:3000",
]  # fmt: skip


@pytest.fixture
def page(app: Flask) -> Callable[..., FlaskClient]:
    app = make_app(app.config["SQLALCHEMY_DATABASE_URI"], cors_origins=ORIGINS)

    def page(origin: str | None, user: str | None = "alice") -> FlaskClient:
        client = app.test_client() if user is None else client_for(app, user)
        if origin is not None:
            client.environ_base["HTTP_ORIGIN"] = origin
        return client

    return page


def names(value: str | None) -> set[str]:
    return {name.strip() for name in (value or "").split(",")}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_preflight_needs_no_token(page: Callable[..., FlaskClient], origin: str, method: str) -> None:
    for path in (TASKS, f"{TASKS}/1", f"{TASKS}/1/complete"):
        asked = {
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,if-match,if-none-match,x-request-id",
        }
        response = page(origin, None).options(path, headers=asked)
        assert (response.status_code, response.headers["Vary"]) == (200, "Origin")
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert names(response.headers["Access-Control-Allow-Methods"]) >= {"GET", "POST", "PUT", "PATCH", "DELETE"}
        assert names(response.headers["Access-Control-Allow-Headers"]) == {
            "authorization",
            "content-type",
            "if-match",
            "if-none-match",
            "x-request-id",
        }


def test_answers_and_errors_of_every_kind_carry_the_headers(
    page: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "delete_task", lambda *args: 1 / 0)
    me, other, no_one = page(ORIGINS[0]), page(ORIGINS[0], "bob"), page(ORIGINS[0], None)
    answers = {
        200: me.get(TASKS), 201: me.post(TASKS, json={"title": "x"}), 401: no_one.get(TASKS), 403: other.get(TASKS),
        404: me.get("/x"),
        405: me.patch(TASKS), 413: me.post(TASKS, data=b"{" * (1024 * 1024 + 1), content_type="application/json"),
        415: me.post(TASKS, data=b"x"), 422: me.get(f"{TASKS}?limit=0"), 500: me.delete(f"{TASKS}/1"),
    }  # fmt: skip
    for status, response in answers.items():
        assert response.status_code == status
        assert response.headers.getlist("Vary") == ["Origin"]
        assert response.headers["Access-Control-Allow-Origin"] == ORIGINS[0]
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        exposed = names(response.headers["Access-Control-Expose-Headers"])
        assert exposed == {"ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"}


@pytest.mark.parametrize("origin", [None, *STRANGERS])
def test_no_other_origin_is_let_in_nor_reflected(page: Callable[..., FlaskClient], origin: str | None) -> None:
    client = page(origin)
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization, x-evil"}
    for response in (client.get(TASKS), client.options(TASKS, headers=asked), client.get("/x"), client.get("/health")):
        assert response.headers.getlist("Vary") == ["Origin"]
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


def test_headers_that_the_api_does_not_use_are_not_allowed(page: Callable[..., FlaskClient]) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization, x-evil"}
    response = page(ORIGINS[0], None).options(TASKS, headers=asked)
    assert response.headers["Access-Control-Allow-Headers"] == "authorization"


def test_no_origins_at_all_let_no_page_in(database_url: URL) -> None:
    client = make_app(database_url, cors_origins=()).test_client()
    response = client.get("/health", headers={"Origin": "http://localhost:3000"})
    assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in response.headers
