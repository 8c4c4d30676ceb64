"""The real Better Auth, the real server and a page with the README's code, each a process of its own."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.better_auth import ADA, SCRIPTS, running_better_auth, settings_at
from tests.support.checkout import ROOT
from tests.support.client import Client
from tests.support.databases import sqlite_url
from tests.support.node import running, stop
from tests.support.ports import free_port
from tests.support.service import serving
from tests.support.waiting import wait_until


class World:
    """Better Auth and the API, and a page that signs its user in to the one and calls the other."""

    def __init__(self, folder: Path, stack: ExitStack, *, shared_secret: bool) -> None:
        self._port = free_port()
        url = f"http://127.0.0.1:{self._port}"
        way = {} if shared_secret else {"BETTER_AUTH_SECRET": None, "BETTER_AUTH_URL": url}
        self.api = stack.enter_context(serving(folder, sqlite_url(folder), **way))
        self.better_auth = stack.enter_context(running_better_auth(url))
        settings = settings_at(url) | {"NEXT_PUBLIC_TODO_API": self.api.address}
        self._page = stack.enter_context(running(SCRIPTS / "page.mjs", **settings))

    def page(self, step: str, *given: Any) -> Any:
        """What the page's function returns."""
        assert self._page.stdin
        assert self._page.stdout
        self._page.stdin.write(json.dumps([step, *given]) + "\n")
        self._page.stdin.flush()
        return json.loads(self._page.stdout.readline())

    def tasks(self, user_id: str, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return self.api.request("GET", f"/api/{user_id}/tasks", headers=headers).status

    def post(self, path: str) -> None:
        """To Better Auth."""
        with Client(self._port) as client:
            assert client.request("POST", path).status == 200


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    with ExitStack() as stack:
        yield lambda *, shared_secret=False: World(tmp_path, stack, shared_secret=shared_secret)


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
    wait_until(lambda: there.tasks(user, new) == 200, 5)
    assert there.tasks(user, old) == 200

    there.post("/forget-keys")
    newest = there.page("token")
    wait_until(lambda: there.tasks(user, newest) == 200, 5)
    assert [there.tasks(user, token) for token in (old, new)] == [401, 401]
    assert there.page("todoApi", path)["status"] == 200  # with a token it asked for when it got the 401

    stop(there.better_auth)
    assert there.tasks(user, newest) == 200


def test_who_signs_in_has_tasks_with_a_shared_secret(world: Callable[..., World]) -> None:
    there = world(shared_secret=True)
    user = there.page("signUp", ADA)["id"]
    assert there.tasks(user, there.page("sharedSecretToken")) == 200
    assert there.tasks("somebody", there.page("sharedSecretToken")) == 403
    assert there.tasks(user, there.page("token")) == 401


@pytest.mark.parametrize("name", ["auth", "auth-client", "todo-api", "shared-secret"])
def test_the_readme_shows_the_code_that_runs_here(name: str) -> None:
    assert (SCRIPTS / f"{name}.mjs").read_text() in (ROOT / "todo_api/auth/README.md").read_text()
