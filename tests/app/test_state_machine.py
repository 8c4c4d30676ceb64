"""Random operations by several users: every answer equals that of a plain model in memory."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from werkzeug.test import TestResponse

from tests.app.model import ORDERS, Json, User, changes_of, expected_status, known, problems, shown
from tests.support.apps import empty
from tests.support.machines import play
from tests.support.tokens import bearer
from todo_api.tasks import store

NAMES = ["alice", "bob@example.com", "a b|c:dé"]
names = st.sampled_from(NAMES)
ids = st.integers(1, 12) | st.sampled_from([0, -1, 999, 2**63 - 1, 2**63, 10**30])
keys = st.sampled_from(["a", "b", "0c", "~"])
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
odd = st.sampled_from([None, 0, 1, True, [], {}, "", "\0", "\ud800", "x" * 200, "x" * 201, "y" * 1000, "y" * 1001])
few_titles = st.sampled_from(["x", "y"])
titles = few_titles | st.text(characters, min_size=1, max_size=20) | odd
descriptions = st.none() | st.text(characters, max_size=20) | odd
flags = st.booleans() | st.booleans() | odd
dues = st.sampled_from([None, "2026-12-01", "2026-12-01T17:00", "2024-02-29"])
priorities = st.integers(0, 3)
tags = st.lists(st.sampled_from(["a", "b", "c,d"]), max_size=3)
bodies = st.fixed_dictionaries(
    {},
    optional={
        **{"title": titles, "description": descriptions, "completed": flags, "id": odd, "colour": odd},
        **{"due": dues | odd | st.sampled_from(["2026-02-30", "24:00"]), "priority": priorities | odd},
        **{"tags": tags | st.lists(odd, max_size=2) | odd, "completed_at": odd},
    },
)
richer = {"due": dues, "priority": priorities, "tags": tags}
new_tasks = st.fixed_dictionaries(
    {"title": few_titles},
    optional={
        **{"description": st.none() | st.text(characters, max_size=20), "completed": st.booleans(), "key": keys},
        **richer,
    },
)
# Where a revision is named: the one that is stored, another, or none.
matches = st.sampled_from(["none", "none", "stored", "other", "any"])
edits = st.fixed_dictionaries(
    {}, optional={"title": few_titles, "description": st.none() | few_titles, "completed": st.booleans(), **richer}
)
operations = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["put", "put", "delete"]),
        "key": keys | st.integers(1, 12).map(str),
        "data": edits | edits | bodies,
    },
    optional={"base": edits | st.none(), "match": st.sampled_from(["stored", "other", "zero"])},
)


class Tasks(RuleBasedStateMachine):
    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.client = self.app.test_client()
        self.time = datetime(2026, 1, 16, tzinfo=UTC)
        self.users = {name: User(name) for name in NAMES}
        self.last_id = 0
        self.checkpoints = [1]

    @initialize()
    def start_empty(self) -> None:
        empty(self.app)

    def send(self, name: str, method: str, path: str = "", body: Any = None, **headers: str) -> TestResponse:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "now", lambda: self.time)
            return self.client.open(
                f"/api/{quote(name)}/tasks{path}",
                method=method,
                data=None if body is None else json.dumps(body),
                content_type="application/json",
                headers={**bearer(name), **{key.replace("_", "-"): value for key, value in headers.items()}},
            )

    def check_not_found(self, response: TestResponse, task_id: int) -> None:
        detail = f"Task with id {str(task_id)[: 20 + (task_id < 0)]} not found"
        assert (response.status_code, response.json) == (404, {"detail": detail, "status_code": 404})

    def check_task(self, response: TestResponse, task: Json, status: int = 200) -> None:
        assert (response.status_code, response.json) == (status, shown(task))
        assert response.headers["ETag"] == f'"{task["revision"]}"'

    def check_changed(self, response: TestResponse, task: Json) -> None:
        detail = f"Task with id {task['id']} has changed"
        assert (response.status_code, response.json) == (
            412,
            {"detail": detail, "status_code": 412, "task": shown(task)},
        )

    def is_done(self, response: TestResponse, task_id: int, task: Json | None, holds: bool) -> bool:
        """Whether the task is there and the condition holds; where not, the answer says so."""
        if task is None:
            self.check_not_found(response, task_id)
        elif not holds:
            self.check_changed(response, task)
        return task is not None and holds

    def condition(self, match: str, task: Json | None) -> tuple[dict[str, str], bool]:
        """The header, and whether the condition holds."""
        stored = task["revision"] if task else 7
        header = {"stored": f'W/"{stored}"', "other": f'"{stored + 1}", ""', "any": "*"}.get(match)
        return ({"If_Match": header} if header else {}), match != "other"

    @rule(microseconds=st.integers(-3, 3) | st.sampled_from([10**6, -(10**6), 10**13]))
    def time_passes(self, microseconds: int) -> None:
        self.time += timedelta(microseconds=microseconds)

    @rule(name=names, body=new_tasks | new_tasks | bodies)
    def create(self, name: str, body: Json) -> None:
        user, key = self.users[name], body.get("key")
        taken = user.with_key(key) if key else None
        response = self.send(name, "POST", body=body)
        if found := problems(body, new=True):
            assert (response.status_code, response.json) == (422, {"detail": "Validation error", "errors": found})
        elif taken and "deleted" in taken:
            detail = f"Task with key {key} is deleted"
            assert (response.status_code, response.json) == (410, {"detail": detail, "status_code": 410, "task": taken})
        else:
            if taken is None:
                self.last_id += 1
                taken = user.create(self.last_id, key, known(body), self.time, response.json["revision"])
                self.check_task(response, taken, 201)
            self.check_task(response, taken, response.status_code)
            assert response.headers["Location"] == f"/api/{quote(name, safe='')}/tasks/{taken['id']}"

    @rule(name=names, task_id=ids, match=matches)
    def get(self, name: str, task_id: int, match: str) -> None:
        task = self.users[name].tasks.get(task_id)
        header, is_known = self.condition(match, task)
        response = self.send(name, "GET", f"/{task_id}", If_None_Match=header.get("If_Match", '"5"'))
        if task is None:
            self.check_not_found(response, task_id)
        elif is_known and header:
            assert (response.status_code, response.data) == (304, b"")
        else:
            self.check_task(response, task)

    @rule(name=names, task_id=ids, body=bodies | edits, match=matches)
    def update(self, name: str, task_id: int, body: Json, match: str) -> None:
        user, changes = self.users[name], known(body)
        task = user.tasks.get(task_id)
        header, holds = self.condition(match, task)
        response = self.send(name, "PUT", f"/{task_id}", body, **header)
        if found := problems(body, new=False):
            assert (response.status_code, response.json) == (422, {"detail": "Validation error", "errors": found})
        elif task is None:
            self.check_not_found(response, task_id)
        elif not holds and changes_of(changes, {}, task):
            self.check_changed(response, task)
        else:
            if holds and changes:
                user.touch(task, changes, self.time, response.json["revision"])
            self.check_task(response, task)

    @rule(name=names, task_id=ids, match=matches)
    def toggle(self, name: str, task_id: int, match: str) -> None:
        user = self.users[name]
        task = user.tasks.get(task_id)
        header, holds = self.condition(match, task)
        response = self.send(name, "PATCH", f"/{task_id}/complete", **header)
        if self.is_done(response, task_id, task, holds):
            user.touch(task, {"completed": not task["completed"]}, self.time, response.json["revision"])
            self.check_task(response, task)

    @rule(name=names, task_id=ids, match=matches)
    def delete(self, name: str, task_id: int, match: str) -> None:
        user = self.users[name]
        task = user.tasks.get(task_id)
        header, holds = self.condition(match, task)
        response = self.send(name, "DELETE", f"/{task_id}", **header)
        if self.is_done(response, task_id, task, holds):
            assert (response.status_code, response.data) == (204, b"")
            [tombstone] = self.send(name, "GET", f"/changes?since={user.counter}").json["changes"]
            user.delete(task, tombstone)

    @rule(name=names, several=st.lists(operations, max_size=6))
    def batch(self, name: str, several: list[Json]) -> None:
        user, sent = self.users[name], []
        for operation in several:
            if operation["key"].isdecimal() and int(operation["key"]) > self.last_id:
                # No client knows the id of a task that the same batch makes.
                operation["key"] = "999"
            match, stored = operation.get("match"), user.with_key(operation["key"])
            revision = stored["revision"] if stored else 7
            if_match = {"stored": revision, "other": revision + 1, "zero": 0}.get(match or "")
            sent.append({key: value for key, value in {**operation, "if_match": if_match}.items() if key != "match"})
        response = self.send(name, "POST", "/batch", {"operations": sent})
        assert response.status_code == 200, response.text
        assert len(response.json["results"]) == len(sent)
        for operation, result in zip(sent, response.json["results"], strict=True):
            self.check_result(user, operation, result)

    def check_result(self, user: User, operation: Json, result: Json) -> None:
        stored, key = user.with_key(operation["key"]), operation["key"]
        expected: Json = {"status": expected_status(user, operation), "task": stored}
        match expected["status"]:
            case 201:
                self.last_id += 1
                created = result["task"]["revision"]
                expected["task"] = user.create(self.last_id, key, known(operation["data"]), self.time, created)
            case 204:
                expected["task"] = None
            case 200 if operation["op"] == "delete":
                assert stored is not None
                expected["task"] = user.delete(stored, result["task"])
            case 200:
                assert stored is not None
                if changes := changes_of(known(operation["data"]), operation.get("base") or {}, stored):
                    user.touch(stored, changes, self.time, result["task"]["revision"])
            case 404:
                expected["detail"] = f"Task with id {key} not found"
            case 410:
                expected["detail"] = f"Task with key {key} is deleted"
            case 412:
                expected["detail"] = f"Task with key {key} has changed"
            case 422:
                found = problems(operation["data"], new=stored is None, location="data")
                # Whether the title is missing is looked at last, where there is no such task.
                others = [problem for problem in found if problem["type"] != "missing"]
                expected |= {"detail": "Validation error", "errors": others or found}
        assert result == {**expected, "task": expected["task"] and shown(expected["task"])}

    @rule(name=names)
    def keep_the_checkpoint(self, name: str) -> None:
        self.checkpoints.append(max(self.users[name].counter, 1))

    @rule(name=names, data=st.data(), limit=st.integers(1, 4))
    def pull(self, name: str, data: st.DataObject, limit: int) -> None:
        user = self.users[name]
        since = data.draw(st.sampled_from([0, 0, user.counter, user.counter + 1, *self.checkpoints]), label="since")
        query = f"/changes?limit={limit}&since={since}"
        if 0 < since < user.horizon:
            assert self.send(name, "GET", query).status_code == 410
            return
        after = 0
        for page in user.pages(since, limit):
            response = self.send(name, "GET", f"{query}&after={after}")
            assert (response.status_code, response.json) == (200, page)
            assert ("Link" in response.headers) == page["has_more"]
            after = page["next"]

    @rule()
    def purge(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "now", lambda: datetime(9000, 1, 1, tzinfo=UTC))
            assert self.app.test_cli_runner().invoke(args=["purge"]).exit_code == 0
        for user in self.users.values():
            user.purge()

    @rule(
        name=names,
        status=st.sampled_from([None, "all", "pending", "completed"]),
        sort=st.sampled_from([None, *ORDERS]),
        tag=st.sampled_from([None, None, "a", "c,d"]),
        limit=st.integers(1, 4),
    )
    def list(self, name: str, status: str | None, sort: str | None, tag: str | None, limit: int) -> None:
        by, descending = ORDERS[sort or "-created"]
        tasks = sorted(self.users[name].tasks.values(), key=by, reverse=descending)
        expected = [
            shown(task)
            for task in tasks
            if status in {None, "all", "completed" if task["completed"] else "pending"}
            and (tag is None or tag in task["tags"])
        ]
        asked = {"limit": limit, "status": status, "sort": sort, "tag": tag}
        query, listed = "?" + urlencode({key: value for key, value in asked.items() if value is not None}), []
        while True:
            response = self.send(name, "GET", query)
            assert response.status_code == 200
            assert response.json == expected[len(listed) : len(listed) + limit]
            listed += response.json
            assert ("Link" in response.headers) == (len(listed) < len(expected))
            if "Link" not in response.headers:
                break
            query = "?" + response.headers["Link"].removesuffix('>; rel="next"').partition("?")[2]


def test_every_answer_equals_that_of_a_plain_model(app: Flask) -> None:
    play(Tasks, app)
