"""The settings of authentication: one way to verify tokens a deployment, and where its keys are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support.apps import make_app
from tests.support.databases import sqlite_url
from tests.support.marks import one_database
from tests.support.tokens import SECRET
from todo_api.auth import tokens as auth
from todo_api.platform.environment import SettingsError
from todo_api.service import commands as cli
from todo_api.settings import Settings, read_settings

URL = "https://app.example.com"


def read(**environment: str) -> Settings:
    return read_settings(environment, env_file="/nonexistent")


def problems(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(**environment)
    return caught.value.problems


@pytest.mark.parametrize(
    ("url", "key_set", "origin"),
    [
        ("http://localhost:3000", "http://localhost:3000/api/auth/jwks", "http://localhost:3000"),
        ("http://localhost:3000/", "http://localhost:3000/api/auth/jwks", "http://localhost:3000"),
        ("https://app.example.com//", "https://app.example.com/api/auth/jwks", "https://app.example.com"),
        ("https://app.example.com/api/auth", "https://app.example.com/api/auth/jwks", "https://app.example.com"),
        ("https://app.example.com/auth/", "https://app.example.com/auth/jwks", "https://app.example.com"),
        ("HTTPS://App.Example.com:443", "HTTPS://App.Example.com:443/api/auth/jwks", "https://app.example.com"),
        ("http://app.example.com:80/x", "http://app.example.com:80/x/jwks", "http://app.example.com"),
        ("https://app.example.com:80", "https://app.example.com:80/api/auth/jwks", "https://app.example.com:80"),
        ("http://[::1]:3000", "http://[::1]:3000/api/auth/jwks", "http://[::1]:3000"),
    ],
)
def test_the_urls_origin_is_issuer_and_audience_and_its_path_tells_where_the_keys_are(
    url: str, key_set: str, origin: str
) -> None:
    settings = read(BETTER_AUTH_URL=url)
    assert (settings.jwks_url, settings.issuer, settings.audience) == (key_set, origin, (origin,))


def test_issuer_audience_and_key_set_can_be_set_apart() -> None:
    settings = read(
        BETTER_AUTH_URL=URL, BETTER_AUTH_JWKS_URL="http://web:3000/keys?v=1", JWT_ISSUER="me", JWT_AUDIENCE='["a", "b"]'
    )
    assert settings.jwks_url == "http://web:3000/keys?v=1"
    assert (settings.issuer, settings.audience) == ("me", ("a", "b"))


def test_with_a_shared_secret_any_issuer_and_audience_will_do() -> None:
    settings = read(BETTER_AUTH_SECRET=SECRET)
    assert (settings.jwks_url, settings.issuer, settings.audience) == (None, None, None)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:3000",
        "//localhost",
        "ftp://localhost",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://a b",
        "http://localhost\\@evil.example",
        "http://user@localhost",
        "http://user:pass-word@localhost",
        "http://localhost/#fragment",
        "http://localhost:0x50",
        "http://localhost:99999",
        "http://local\r\nhost",
        "http://localhost/\r\nX: y",
        "http://[::1",
        "http://bücher.example",
    ],
)
def test_what_is_no_web_url_stops_the_start_without_being_quoted(url: str) -> None:
    for name in ("BETTER_AUTH_URL", "BETTER_AUTH_JWKS_URL"):
        (problem,) = problems(**{name: url, "JWT_ISSUER": "me", "JWT_AUDIENCE": "me"})
        assert problem.startswith(f"{name} ")
        assert url not in problem
        assert "pass-word" not in problem


def test_a_base_url_has_no_query() -> None:
    assert problems(BETTER_AUTH_URL=f"{URL}/?a=b") == ["BETTER_AUTH_URL must have no query"]


@pytest.mark.parametrize("name", ["BETTER_AUTH_URL", "BETTER_AUTH_JWKS_URL"])
def test_a_secret_and_a_key_set_stop_the_start(name: str) -> None:
    given = {name: URL, "BETTER_AUTH_SECRET": SECRET, "JWT_ISSUER": "me", "JWT_AUDIENCE": "me"}
    assert problems(**given) == [f"BETTER_AUTH_SECRET and {name} are both set: tokens are verified in one way"]


def test_the_algorithm_of_a_shared_secret_may_stay_set_beside_a_key_set() -> None:
    assert read(BETTER_AUTH_URL=URL, JWT_ALGORITHM="HS256").jwks_url


def test_a_key_set_alone_does_not_tell_issuer_and_audience() -> None:
    assert problems(BETTER_AUTH_JWKS_URL=URL) == [
        "JWT_ISSUER is not set: BETTER_AUTH_JWKS_URL alone does not tell it",
        "JWT_AUDIENCE is not set: BETTER_AUTH_JWKS_URL alone does not tell it",
    ]


def test_a_database_needs_a_way_to_verify_tokens() -> None:
    (problem,) = problems(DATABASE_URL="postgresql://localhost/todo")
    assert problem.startswith("BETTER_AUTH_SECRET is not set, nor BETTER_AUTH_URL")
    assert read(DATABASE_URL="postgresql://localhost/todo", BETTER_AUTH_URL=URL).issuer == URL


def test_all_that_is_wrong_is_named_at_once() -> None:
    found = problems(
        BETTER_AUTH_URL="x", BETTER_AUTH_JWKS_URL="y", BETTER_AUTH_SECRET="short", JWT_ALGORITHM="RS256", PORT="z"
    )
    assert [problem.split()[0] for problem in found] == [
        "BETTER_AUTH_URL",
        "BETTER_AUTH_JWKS_URL",
        "JWT_ALGORITHM",
        "PORT",
        "BETTER_AUTH_SECRET",
        "BETTER_AUTH_SECRET",
    ]


def run_token(app: Flask) -> tuple[int, str]:
    cli.init_app(app)
    with app.app_context():  # as `flask` does
        result = app.test_cli_runner().invoke(args=["token", "ada"])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "arguments", [["a/b"], ["x" * 256], [""], [], ["alice", "--minutes", "0"], ["alice", "--minutes", "x"]]
)
def test_a_token_for_no_possible_user_or_time_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    app = make_app(sqlite_url(tmp_path))
    cli.init_app(app)
    result = app.test_cli_runner().invoke(args=["token", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_no_token_can_be_made_with_published_keys_and_no_secret_is_kept(tmp_path: Path) -> None:
    app = make_app(sqlite_url(tmp_path), better_auth_secret=None, better_auth_url=URL)
    app.instance_path = str(tmp_path / "instance")
    assert run_token(app) == (
        1,
        "Error: Tokens are verified with a published key set, whose private keys are not here.\n",
    )
    app.test_client().get("/api/ada/tasks", headers={"Authorization": "Bearer x"})
    assert not Path(app.instance_path).exists()


def test_a_token_made_for_development_is_taken(api: Callable[..., Flask]) -> None:
    app = api(jwt_issuer="me", jwt_audience=("us", "you"), jwt_algorithm="HS512")
    status, token = run_token(app)
    assert status == 0
    headers = {"Authorization": f"bEARER   {token.strip()} "}
    assert app.test_client().get("/api/ada/tasks", headers=headers).status_code == 200


@one_database
def test_the_tests_use_a_shared_secret(app: Flask) -> None:
    assert isinstance(auth.token_cache(app).verifier, auth.SharedSecret)
