"""`flask token` and `python wsgi.py` as a newcomer runs them: in a copy of the tree with nothing configured."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.live import ROOT, running
from tests.support import SECRET, make_app, sqlite_url
from todo_api.service import commands as cli


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clean checkout."""
    for name in ("todo_api", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "wsgi.py", tmp_path)
    return tmp_path


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


def request(address: str, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
    sent = urllib.request.Request(
        f"{address}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(sent, timeout=10) as response:
            data = response.read()
            return response.status, json.loads(data) if data else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_newcomer_is_served_with_nothing_configured_and_finds_the_tasks_again(tree: Path) -> None:
    with running(tree, tree) as address:
        status, token, err = flask(tree, "token", "alice")
        assert (status, err) == (0, "")
        assert token.count("\n") == 1
        token = token.strip()
        assert request(address, "GET", "/health/db") == (200, {"status": "healthy", "database": "connected"})
        status, task = request(address, "POST", "/api/alice/tasks", token, {"title": "Buy milk"})
        assert status == 201
        assert request(address, "GET", "/api/alice/tasks", token) == (200, [task])
        assert request(address, "PUT", "/api/alice/tasks/1", token, {"description": "Two litres"})[0] == 200
        status, task = request(address, "PATCH", "/api/alice/tasks/1/complete", token)
        assert (task["description"], task["completed"]) == ("Two litres", True)
        assert request(address, "GET", "/api/bob/tasks", token)[0] == 403
        assert request(address, "GET", "/api/alice/tasks")[0] == 401
    with running(tree, tree) as address:
        assert request(address, "GET", "/api/alice/tasks", token) == (200, [task])
        assert request(address, "DELETE", "/api/alice/tasks/1", token) == (204, None)
    assert {path.name for path in (tree / "instance").iterdir()} >= {"todo.db", "secret"}
    assert stat.S_IMODE((tree / "instance" / "secret").stat().st_mode) == 0o600


def test_a_database_and_a_secret_of_ones_own_are_used(tree: Path) -> None:
    own = {"DATABASE_URL": "sqlite:///data/mine.db", "BETTER_AUTH_SECRET": SECRET}
    with running(tree, tree, **own) as address:
        token = jwt.encode({"sub": "alice", "exp": int(time.time()) + 60}, SECRET)
        assert request(address, "POST", "/api/alice/tasks", token, {"title": "x"})[0] == 201
    assert (tree / "instance" / "data" / "mine.db").exists()
    assert not (tree / "instance" / "secret").exists()


def test_a_port_in_use_is_one_clear_line_and_status_2(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tree, "wsgi.py", PORT=str(port))
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert [str(port) in line for line in err.splitlines()] == [True]
    assert not (tree / "instance" / "todo.db").exists()


def test_a_token_carries_what_the_service_checks(tree: Path) -> None:
    checked = {"BETTER_AUTH_SECRET": SECRET, "JWT_ISSUER": "https://auth.example.com", "JWT_AUDIENCE": '["todo", "b"]'}
    status, out, err = flask(tree, "token", "a b|c@d", "--minutes", "5", JWT_ALGORITHM="HS512", **checked)
    assert (status, err) == (0, "")
    claims = jwt.decode(out.strip(), SECRET, ["HS512"], issuer="https://auth.example.com", audience="todo")
    assert claims["sub"] == "a b|c@d"
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 60


@pytest.mark.parametrize(
    "arguments", [["a/b"], ["x" * 256], [""], [], ["alice", "--minutes", "0"], ["alice", "--minutes", "x"]]
)
def test_a_token_for_no_possible_user_or_time_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    app = make_app(sqlite_url(tmp_path))
    cli.init_app(app)
    result = app.test_cli_runner().invoke(args=["token", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


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
    with running(tree, tree) as address:
        assert request(address, "GET", "/api/alice/tasks", token) == (200, [])
