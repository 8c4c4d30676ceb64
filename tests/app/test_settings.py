"""Settings: one table, read from the environment and `.env`; all that are wrong are named at once, and no secret is."""

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.checkout import ROOT
from todo_api.platform.environment import SettingsError
from todo_api.settings import Settings, read_settings

SECRET = "s3cret" + "x" * 58
NO_FILE = "/nonexistent/.env"


def read(env_file: str | Path = NO_FILE, **environment: str) -> Settings:
    return read_settings(environment, str(env_file))


def problems(env_file: str | Path = NO_FILE, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read(env_file, **environment)
    return raised.value.problems


def shown(value: object) -> str:
    """A default as the README's table shows it."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        value = json.dumps(list(value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table() -> list[tuple[str, str, str]]:
    return [(spec.name.upper(), shown(spec.default), spec.metadata["help"]) for spec in fields(Settings)]


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) ?\| (.*?) \| .*\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == table()


def test_with_nothing_set_everything_has_its_default(tmp_path: Path) -> None:
    settings = read()
    assert settings == Settings()
    assert (settings.host, settings.port, settings.threads, settings.max_body_bytes) == ("127.0.0.1", 8000, 8, 2**20)
    assert (settings.jwt_algorithm, settings.jwt_leeway_seconds, settings.debug) == ("HS256", 10, False)
    assert settings.cors_origins == ("http://localhost:3000",)
    assert (
        settings.db_connect_timeout_seconds,
        settings.db_lock_timeout_seconds,
        settings.db_statement_timeout_seconds,
    ) == (3, 2, 4)
    assert settings.uses_sqlite
    assert settings.database(str(tmp_path)).url == URL.create("sqlite", database=str(tmp_path / "todo.db"))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("postgres://u:p@host/db", "postgresql+psycopg2://u:p@host/db"),
        ("postgresql://u:p@host:6543/db", "postgresql+psycopg2://u:p@host:6543/db"),
        ("postgresql+psycopg2://u:p@host/db", "postgresql+psycopg2://u:p@host/db"),
        ("postgresql://u:p%40%2F%3A@host/db?sslmode=require",
        "postgresql+psycopg2://u:p%40%2F%3A@host/db?sslmode=require"),
        ("postgres://u@h/d?sslmode=require&channel_binding=require",
        "postgresql+psycopg2://u@h/d?channel_binding=require&sslmode=require"),
        ("postgresql:///db?host=/run/postgresql", "postgresql+psycopg2:///db?host=%2Frun%2Fpostgresql"),
        ("sqlite:///todo.db", "sqlite:////instance/todo.db"),
        ("sqlite:///data/my tasks.db", "sqlite:////instance/data/my tasks.db"),
        ("sqlite:////var/lib/todo.db", "sqlite:////var/lib/todo.db"),
    ],
)  # fmt: skip
def test_a_database_url_is_taken_as_users_paste_it(given: str, made: str) -> None:
    settings = read(DATABASE_URL=given, BETTER_AUTH_SECRET=SECRET)
    assert settings.database("/instance").url.render_as_string(hide_password=False) == made
    assert settings.uses_sqlite == given.startswith("sqlite")


@pytest.mark.parametrize(
    "url",
    ["x", "mysql://u:hunter2@h/d", "postgresql+asyncpg://u:hunter2@h/d", "postgres:/u:hunter2@h",
     "postgres://u:hunter2@h:port/d",
     "postgres://u:hunter2@[::1/d", "postgresql://u:hunter2@h/d?pgbouncer=true",
     "postgresql://u:hunter2@h/d?schema=public&sslmode=require",
     "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://:memory:", "sqlite://host/todo.db",
     "sqlite:///file:todo.db?mode=memory&uri=true",
     "sqlite:///todo.db?mode=memory", "sqlite:///todo.db?hunter2=1", "sqlite:///file::memory:",
     "sqlite+pysqlite:///todo.db", "sqlite:///todo.db\n", " sqlite:///todo.db", "postgresql://u:hunter2@h/d\n"],
)  # fmt: skip
def test_a_database_url_that_cannot_serve_is_refused_without_quoting_it(url: str) -> None:
    [problem] = problems(DATABASE_URL=url, BETTER_AUTH_SECRET=SECRET)
    assert problem.startswith("DATABASE_URL ")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("algorithm", "secret", "problem"),
    [
        ("HS256", "", "BETTER_AUTH_SECRET is empty"),
        ("HS256", "x" * 31, "BETTER_AUTH_SECRET is too short: HS256 needs at least 32 bytes"),
        ("HS384", "x" * 47, "BETTER_AUTH_SECRET is too short: HS384 needs at least 48 bytes"),
        ("HS512", "x" * 63, "BETTER_AUTH_SECRET is too short: HS512 needs at least 64 bytes"),
        ("", "é" * 15 + "x", "BETTER_AUTH_SECRET is too short: HS256 needs at least 32 bytes"),
        ("HS256", "better-auth-secret-12345678901234567890", "BETTER_AUTH_SECRET is Better Auth's public default"),
        ("HS256", "x" * 32, None),
        ("HS384", "x" * 48, None),
        ("HS512", "x" * 64, None),
        ("", "é" * 16, None),
        ("", " " * 32, None),
    ],
)
def test_a_secret_is_as_long_as_its_algorithm_needs(algorithm: str, secret: str, problem: str | None) -> None:
    environment = {"JWT_ALGORITHM": algorithm, "BETTER_AUTH_SECRET": secret}
    if problem is None:
        assert read(**environment).better_auth_secret == secret
    else:
        [found] = problems(**environment)
        assert found.startswith(problem)
        assert not secret or secret not in found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("PORT", value) for value in ("0", "65536", "-1", "8000.0", "eighty", " 80", "80\n", "+80", "\uff18\uff10",
        "1" * 5000)],
        *[(name, value) for name in ("WEB_CONCURRENCY", "THREADS", "DB_CONNECT_TIMEOUT_SECONDS",
        "DB_LOCK_TIMEOUT_SECONDS",
                                     "DB_STATEMENT_TIMEOUT_SECONDS", "MAX_BODY_BYTES") for value in ("0", "x", "1e3",
                                     "9" * 13)],
        *[("JWT_LEEWAY_SECONDS", value) for value in ("-1", "x", "301")],
        *[("JWT_ALGORITHM", value) for value in ("none", "hs256", "RS256", "HS256,HS512")],
        *[("JWT_AUDIENCE", value) for value in ("[", "[]", '[""]', "[1]", '["a", null]')],
        *[("DEBUG", value) for value in ("2", "maybe", "y")],
        *[("CORS_ORIGINS", value) for value in (
            "*", '["*"]', "http://localhost:3000", '{"a": 1}', "[1]", "[null]", '"http://a"', '[""]', '["null"]',
            '["localhost:3000"]', '["http://"]',
            '["http://a/"]', '["http://a/b"]', '["http://a?"]', '["http://a b"]', '["http://*.a"]', '["https://.*"]',
            '["http://a:"]', '["http://a:x"]',
            '["http://a:0"]', '["HTTP://a"]', '["http://A"]', '["http://é"]', '["http://a:80"]', '["https://a.b:443"]',
            '["http://u@a"]', '["http://[::1"]',
            '["http://a\\n"]', '["http://a", "*"]', '[["http://a"]]')],
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused(name: str, value: str) -> None:
    [problem] = problems(**{name: value})
    assert problem.startswith(f"{name} must ")


@pytest.mark.parametrize(
    "origins",
    [["http://localhost:3000"], ["https://todo.example.com", "http://[::1]:3000", "http://127.0.0.1:8080"], [],
     ["https://a:80"],
     ["capacitor://localhost", "chrome-extension://abcdefgh", "https://xn--bcher-kva.example", "http://my_host"]],
)  # fmt: skip
def test_exact_origins_are_taken(origins: list[str]) -> None:
    assert read(CORS_ORIGINS=json.dumps(origins)).cors_origins == tuple(origins)


def test_other_values_are_taken() -> None:
    assert [read(DEBUG=value).debug for value in ("true", "1", "YES", "on", "false", "0", "no", "Off")] == [
        True
    ] * 4 + [False] * 4
    assert read(JWT_AUDIENCE="todo").jwt_audience == ("todo",)
    assert read(JWT_AUDIENCE='["a", "b"]').jwt_audience == ("a", "b")
    assert read(JWT_ISSUER="https://auth.example.com").jwt_issuer == "https://auth.example.com"
    assert read(HOST="::1", PORT="65535", WEB_CONCURRENCY="4", THREADS="08") == Settings(
        host="::1", port=65535, web_concurrency=4, threads=8
    )


def test_empty_means_unset_except_for_the_secret() -> None:
    names = {spec.name.upper() for spec in fields(Settings)} - {"BETTER_AUTH_SECRET"}
    assert read(**dict.fromkeys(names, "")) == Settings()
    assert problems(BETTER_AUTH_SECRET="") == ["BETTER_AUTH_SECRET is empty"]


def test_a_database_needs_a_way_to_verify_tokens() -> None:
    for url in ("postgresql://h/d", "sqlite:///todo.db"):
        [problem] = problems(DATABASE_URL=url)
        assert problem.startswith("BETTER_AUTH_SECRET is not set")


def test_all_wrong_settings_are_named_at_once() -> None:
    found = problems(
        PORT="x", THREADS="0", CORS_ORIGINS="*", JWT_ALGORITHM="none", DATABASE_URL="x", BETTER_AUTH_SECRET="short"
    )
    assert {problem.split()[0] for problem in found} == {
        *("PORT", "THREADS", "CORS_ORIGINS", "JWT_ALGORITHM", "DATABASE_URL", "BETTER_AUTH_SECRET")
    }


def test_the_environment_wins_over_the_file_and_an_empty_variable_does_not(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        f"PORT=1111\nHOST=0.0.0.0\nTHREADS='2'\n# a comment\nexport DEBUG=true\nBETTER_AUTH_SECRET={SECRET}\nOTHER=x\n"
    )
    settings = read(file, PORT="2222", HOST="")
    assert (settings.port, settings.host, settings.threads, settings.debug) == (2222, "0.0.0.0", 2, True)
    assert settings.better_auth_secret == SECRET
    assert problems(file, BETTER_AUTH_SECRET="") == ["BETTER_AUTH_SECRET is empty"]
    file.write_text("BETTER_AUTH_SECRET=\nPORT=\n")
    assert problems(file) == ["BETTER_AUTH_SECRET is empty"]
    file.write_text("BETTER_AUTH_SECRET\nPORT\n")
    assert read(file) == Settings()
    file.write_bytes(b"PORT=\xff")
    assert problems(file) == [f"{file} cannot be read as UTF-8 text"]


def test_no_secret_shows_in_repr() -> None:
    settings = read(DATABASE_URL="postgresql://u:hunter2@h/d", BETTER_AUTH_SECRET=SECRET)
    assert SECRET not in f"{settings!r} {settings}"
    assert "hunter2" not in f"{settings!r} {settings}"


@pytest.mark.parametrize("command", [["wsgi.py"], ["-m", "flask", "--app", "wsgi", "token", "alice"]])
def test_wrong_settings_end_every_command_with_status_2_and_no_traceback(command: list[str]) -> None:
    wrong = {
        "PORT": "x",
        "CORS_ORIGINS": "*",
        "BETTER_AUTH_SECRET": "hunter2",
        "DATABASE_URL": "postgres://u:hunter2@h:x/d",
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **wrong},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert {line.split()[0] for line in done.stderr.splitlines()} == set(wrong)
    assert "hunter2" not in done.stderr


def test_time_limits_that_add_up_past_what_a_request_may_take_stop_the_start() -> None:
    good = {"DB_CONNECT_TIMEOUT_SECONDS": "4", "DB_STATEMENT_TIMEOUT_SECONDS": "4"}
    assert read_settings(good, env_file="").db_statement_timeout_seconds == 4
    with pytest.raises(SettingsError, match="together must be at most 8: a request is answered within ten seconds"):
        read_settings({**good, "DB_STATEMENT_TIMEOUT_SECONDS": "5"}, env_file="")
