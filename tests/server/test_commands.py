"""`flask token` and `python wsgi.py` as a newcomer runs them: in a copy of the tree with nothing configured."""

import os
import stat
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import jwt
import pytest

from tests.support.checkout import copy_code
from tests.support.ports import free_port
from tests.support.service import Service, serving
from tests.support.tokens import SECRET


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clean checkout."""
    return copy_code(tmp_path)


def start(tree: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tree,
        env={"PATH": os.environ["PATH"], **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def flask(tree: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    process = start(tree, "-m", "flask", "--app", "wsgi", *arguments, **settings)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def serving_newcomer(tree: Path, **settings: object) -> AbstractContextManager[Service]:
    """The tree's server with nothing configured but these settings."""
    return serving(tree, root=tree, **{"BETTER_AUTH_SECRET": None, **settings})


def test_a_newcomer_is_served_with_nothing_configured_and_finds_the_tasks_again(tree: Path) -> None:
    with serving_newcomer(tree) as service:
        status, token, err = flask(tree, "token", "alice")
        assert (status, err) == (0, "")
        assert token.count("\n") == 1
        alice = {"Authorization": f"Bearer {token.strip()}"}
        assert service.request("GET", "/health/db")[:2] == (200, {"status": "healthy", "database": "connected"})
        status, task, _ = service.request("POST", "/api/alice/tasks", {"title": "Buy milk"}, headers=alice)
        assert status == 201
        assert service.request("GET", "/api/alice/tasks", headers=alice)[:2] == (200, [task])
        changes = {"description": "Two litres"}
        assert service.request("PUT", "/api/alice/tasks/1", changes, headers=alice).status == 200
        task = service.request("PATCH", "/api/alice/tasks/1/complete", headers=alice).body
        assert (task["description"], task["completed"]) == ("Two litres", True)
        assert service.request("GET", "/api/bob/tasks", headers=alice).status == 403
        assert service.request("GET", "/api/alice/tasks").status == 401
    with serving_newcomer(tree) as service:
        assert service.request("GET", "/api/alice/tasks", headers=alice)[:2] == (200, [task])
        assert service.request("DELETE", "/api/alice/tasks/1", headers=alice)[:2] == (204, b"")
    assert {path.name for path in (tree / "instance").iterdir()} >= {"todo.db", "secret"}
    assert stat.S_IMODE((tree / "instance" / "secret").stat().st_mode) == 0o600


def test_a_database_and_a_secret_of_ones_own_are_used(tree: Path) -> None:
    own = {"DATABASE_URL": "sqlite:///data/mine.db", "BETTER_AUTH_SECRET": SECRET}
    with serving_newcomer(tree, **own) as service:
        assert service.request("POST", "/api/alice/tasks", {"title": "x"}, user_id="alice").status == 201
    assert (tree / "instance" / "data" / "mine.db").exists()
    assert not (tree / "instance" / "secret").exists()


def test_a_token_carries_what_the_service_checks(tree: Path) -> None:
    checked = {"BETTER_AUTH_SECRET": SECRET, "JWT_ISSUER": "https://auth.example.com", "JWT_AUDIENCE": '["todo", "b"]'}
    status, out, err = flask(tree, "token", "a b|c@d", "--minutes", "5", JWT_ALGORITHM="HS512", **checked)
    assert (status, err) == (0, "")
    claims = jwt.decode(out.strip(), SECRET, ["HS512"], issuer="https://auth.example.com", audience="todo")
    assert claims["sub"] == "a b|c@d"
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 60


def test_processes_that_start_at_once_keep_one_secret(tree: Path) -> None:
    processes = [start(tree, "-m", "flask", "--app", "wsgi", "token", "alice") for _ in range(2)]
    tokens = [process.communicate(timeout=60)[0].strip() for process in processes]
    secret = (tree / "instance" / "secret").read_text()
    assert len(secret) >= 64
    for token in tokens:
        assert jwt.decode(token, secret, ["HS256"])["sub"] == "alice"
    assert [path.name for path in (tree / "instance").iterdir()] == ["secret"]


def test_the_file_means_the_same_to_flask_as_to_the_server(tree: Path) -> None:
    own = "keep-${NAME}-and-$this-" + "x" * 64
    (tree / ".env").write_text(f"NAME=it\nBETTER_AUTH_SECRET={own}\nDATABASE_URL=sqlite:///mine.db\n")
    token = flask(tree, "token", "alice")[1].strip()
    with serving_newcomer(tree) as service:
        alice = {"Authorization": f"Bearer {token}"}
        assert service.request("GET", "/api/alice/tasks", headers=alice)[:2] == (200, [])


def test_an_upgrade_that_reaches_no_database_says_so_without_a_traceback(tree: Path) -> None:
    url = f"postgresql://todo:hidden@127.0.0.1:{free_port()}/todo"
    status, out, err = flask(tree, "db", "upgrade", DATABASE_URL=url, BETTER_AUTH_SECRET=SECRET)
    assert (status, out) == (1, "")
    assert err.startswith("Error: cannot connect to the database: ")
    assert "Traceback" not in err
    assert "hidden" not in err
