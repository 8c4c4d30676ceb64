"""The real Better Auth, the real server and a page with the README's code, each a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import SECRET, free_port, needs

WSGI = Path(__file__).parent.parent / "wsgi.py"
SCRIPTS = Path(__file__).parent / "better_auth"
ADA = {"name": "Ada", "email": "ada@example.com", "password": "correct horse battery staple"}


def request(method: str, url: str, token: str = "") -> int:
    """The status of the answer, 0 where there is none."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, parts.path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    except ConnectionError:
        return 0
    finally:
        connection.close()


def eventually(check: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.1)


def stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scripts with what they import installed, exactly as locked."""
    needs("node", "npm")
    folder = tmp_path_factory.mktemp("better_auth")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=180)
    return folder


class World:
    """Better Auth and the API, and a page that signs its user in to the one and calls the other."""

    def __init__(self, scripts: Path, folder: Path, processes: ExitStack, **api_settings: str) -> None:
        self._processes = processes
        self.url = f"http://127.0.0.1:{free_port()}"
        self.api = f"http://127.0.0.1:{free_port()}"
        settings = {
            "BETTER_AUTH_URL": self.url,
            "BETTER_AUTH_SECRET": SECRET,
            "BETTER_AUTH_TELEMETRY": "0",
            "NEXT_PUBLIC_TODO_API": self.api,
        }
        self.better_auth = self.start("node", "server.mjs", cwd=scripts, **settings)
        assert self.better_auth.stdout
        assert self.better_auth.stdout.readline() == "ready\n"
        database = {"DATABASE_URL": f"sqlite:///{folder}/todo.db", "PORT": str(urlsplit(self.api).port)}
        self.start(sys.executable, str(WSGI), cwd=folder, **database, **(api_settings or {"BETTER_AUTH_URL": self.url}))
        eventually(lambda: request("GET", f"{self.api}/health") == 200, 30)
        self._page = self.start("node", "page.mjs", cwd=scripts, **settings)

    def start(self, *command: str, cwd: Path, **environment: str) -> "subprocess.Popen[str]":
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, cwd=cwd, env={**kept, **environment}, text=True, **pipes)
        self._processes.enter_context(process)
        self._processes.callback(stop, process)
        return process

    def page(self, step: str, *given: Any) -> Any:
        """What the page's function returns."""
        assert self._page.stdin
        assert self._page.stdout
        self._page.stdin.write(json.dumps([step, *given]) + "\n")
        self._page.stdin.flush()
        return json.loads(self._page.stdout.readline())

    def tasks(self, user_id: str, token: str) -> int:
        return request("GET", f"{self.api}/api/{user_id}/tasks", token)

    def post(self, path: str) -> None:
        assert request("POST", self.url + path) == 200


@pytest.fixture
def world(scripts: Path, tmp_path: Path) -> Iterator[Callable[..., World]]:
    with ExitStack() as processes:
        yield lambda **api_settings: World(scripts, tmp_path, processes, **api_settings)


def test_who_signs_in_has_tasks_through_rotation_removal_and_outage(world: Callable[..., World]) -> None:
    there = world()
    user = there.page("signUp", ADA)["id"]
    assert there.page("signIn", ADA)["id"] == user

    path, body = f"/api/{user}/tasks", json.dumps({"title": "Buy milk"})
    sent = {"method": "POST", "body": body, "headers": {"Content-Type": "application/json"}}
    created = there.page("todoApi", path, sent)
    assert (created["status"], created["body"]["user_id"]) == (201, user)
    assert there.page("todoApi", path) == {"status": 200, "body": [created["body"]]}
    assert there.page("todoApi", "/api/somebody/tasks")["status"] == 403

    old = there.page("token")
    assert there.tasks(user, old) == 200
    there.post("/rotate")
    new = there.page("token")
    eventually(lambda: there.tasks(user, new) == 200, 5)
    assert there.tasks(user, old) == 200

    there.post("/forget-keys")
    newest = there.page("token")
    eventually(lambda: there.tasks(user, newest) == 200, 5)
    assert [there.tasks(user, token) for token in (old, new)] == [401, 401]
    assert there.page("todoApi", path)["status"] == 200  # with a token it asked for when it got the 401

    stop(there.better_auth)
    assert there.tasks(user, newest) == 200


def test_who_signs_in_has_tasks_with_a_shared_secret(world: Callable[..., World]) -> None:
    there = world(BETTER_AUTH_SECRET=SECRET)
    user = there.page("signUp", ADA)["id"]
    assert there.tasks(user, there.page("sharedSecretToken")) == 200
    assert there.tasks("somebody", there.page("sharedSecretToken")) == 403
    assert there.tasks(user, there.page("token")) == 401


@pytest.mark.parametrize("name", ["auth", "auth-client", "todo-api", "shared-secret"])
def test_the_readme_shows_the_code_that_runs_here(name: str) -> None:
    assert (SCRIPTS / f"{name}.mjs").read_text() in (SCRIPTS.parent.parent / "README.md").read_text()
