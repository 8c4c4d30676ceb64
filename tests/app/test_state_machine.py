"""Random operations by several users: every answer equals that of a plain model in memory."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from werkzeug.test import TestResponse

from tests.support.apps import empty
from tests.support.tokens import bearer
from todo_api.tasks import store

MESSAGES = {
    "missing": "Field required",
    "string_type": "Input should be a valid string",
    "string_unicode": "String should not contain U+0000 or a lone surrogate",
    "bool_type": "Input should be a valid boolean",
    "string_too_short": "String should have at least 1 character",
}

users = st.sampled_from(["alice", "bob@example.com", "a b|c:dé"])
ids = st.integers(1, 12) | st.sampled_from([0, -1, 999, 2**63 - 1, 2**63, 10**30])
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
odd = st.sampled_from([None, 0, 1, True, [], {}, "", "\0", "\ud800", "x" * 200, "x" * 201, "y" * 1000, "y" * 1001])
titles = st.text(characters, min_size=1, max_size=20) | odd
descriptions = st.none() | st.text(characters, max_size=20) | odd
flags = st.booleans() | st.booleans() | odd
bodies = st.fixed_dictionaries(
    {}, optional={"title": titles, "description": descriptions, "completed": flags, "id": odd, "colour": odd}
)
new_tasks = st.fixed_dictionaries(
    {"title": st.text(characters, min_size=1, max_size=20)},
    optional={"description": st.none() | st.text(characters, max_size=20), "completed": st.booleans()},
)


def text_problem(value: Any, least: int, most: int) -> str | None:
    if not isinstance(value, str):
        return "string_type"
    if any(character == "\0" or 0xD800 <= ord(character) <= 0xDFFF for character in value):
        return "string_unicode"
    if len(value) < least:
        return "string_too_short"
    return "string_too_long" if len(value) > most else None


def problems(body: dict[str, Any], *, new: bool) -> list[dict[str, str]]:
    found = {}
    if "title" in body:
        found["title"] = text_problem(body["title"], 1, 200)
    elif new:
        found["title"] = "missing"
    if body.get("description") is not None:
        found["description"] = text_problem(body["description"], 0, 1000)
    if "completed" in body and not isinstance(body["completed"], bool):
        found["completed"] = "bool_type"
    most = {"title": 200, "description": 1000}
    return [
        {
            "field": f"body.{name}",
            "message": MESSAGES.get(kind) or f"String should have at most {most[name]} characters",
            "type": kind,
        }
        for name, kind in found.items()
        if kind
    ]


class Tasks(RuleBasedStateMachine):
    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.client = self.app.test_client()
        self.time = datetime(2026, 1, 16, tzinfo=UTC)
        self.tasks: dict[int, dict[str, Any]] = {}
        self.last_id = 0

    @initialize()
    def start_empty(self) -> None:
        empty(self.app)

    def send(self, user: str, method: str, path: str = "", body: Any = None) -> TestResponse:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "now", lambda: self.time)
            return self.client.open(
                f"/api/{quote(user)}/tasks{path}",
                method=method,
                data=None if body is None else json.dumps(body),
                content_type="application/json",
                headers=bearer(user),
            )

    def found(self, user: str, task_id: int) -> dict[str, Any] | None:
        task = self.tasks.get(task_id)
        return task if task and task["user_id"] == user else None

    def answer(self, task: dict[str, Any]) -> dict[str, Any]:
        return {**task, **{name: f"{task[name]:%Y-%m-%dT%H:%M:%S.%fZ}" for name in ("created_at", "updated_at")}}

    def check(self, response: TestResponse, user: str, task_id: int) -> None:
        """The task as the model has it, or that there is none."""
        if task := self.found(user, task_id):
            assert (response.status_code, response.json) == (200, self.answer(task))
        else:
            cut = str(task_id)[: 20 + (task_id < 0)]
            assert (response.status_code, response.json) == (
                404,
                {"detail": f"Task with id {cut} not found", "status_code": 404},
            )

    def touch(self, task: dict[str, Any], changes: dict[str, Any]) -> None:
        task.update(changes, updated_at=max(self.time, task["updated_at"] + timedelta(microseconds=1)))

    @rule(microseconds=st.integers(-3, 3) | st.sampled_from([10**6, -(10**6), 10**13]))
    def time_passes(self, microseconds: int) -> None:
        self.time += timedelta(microseconds=microseconds)

    @rule(user=users, body=new_tasks | new_tasks | bodies)
    def create(self, user: str, body: dict[str, Any]) -> None:
        response = self.send(user, "POST", body=body)
        if found := problems(body, new=True):
            assert (response.status_code, response.json) == (422, {"detail": "Validation error", "errors": found})
            return
        self.last_id += 1
        known = {name: body[name] for name in ("title", "description", "completed") if name in body}
        self.tasks[self.last_id] = {
            **{"id": self.last_id, "user_id": user, "title": "", "description": None, "completed": False, **known},
            **{"created_at": self.time, "updated_at": self.time},
        }
        assert (response.status_code, response.json) == (201, self.answer(self.tasks[self.last_id]))
        assert response.headers["Location"] == f"/api/{quote(user, safe='')}/tasks/{self.last_id}"

    @rule(user=users, task_id=ids)
    def get(self, user: str, task_id: int) -> None:
        self.check(self.send(user, "GET", f"/{task_id}"), user, task_id)

    @rule(user=users, task_id=ids, body=bodies)
    def update(self, user: str, task_id: int, body: dict[str, Any]) -> None:
        response = self.send(user, "PUT", f"/{task_id}", body)
        if found := problems(body, new=False):
            assert (response.status_code, response.json) == (422, {"detail": "Validation error", "errors": found})
            return
        task = self.found(user, task_id)
        known = {name: body[name] for name in ("title", "description", "completed") if name in body}
        if task and known:
            self.touch(task, known)
        self.check(response, user, task_id)

    @rule(user=users, task_id=ids)
    def toggle(self, user: str, task_id: int) -> None:
        if task := self.found(user, task_id):
            self.touch(task, {"completed": not task["completed"]})
        self.check(self.send(user, "PATCH", f"/{task_id}/complete"), user, task_id)

    @rule(user=users, task_id=ids)
    def delete(self, user: str, task_id: int) -> None:
        response = self.send(user, "DELETE", f"/{task_id}")
        if self.found(user, task_id):
            del self.tasks[task_id]
            assert (response.status_code, response.data) == (204, b"")
        else:
            self.check(response, user, task_id)

    @rule(user=users, status=st.sampled_from([None, "all", "pending", "completed"]), limit=st.integers(1, 4))
    def list(self, user: str, status: str | None, limit: int) -> None:
        expected = [
            self.answer(task)
            for task in sorted(self.tasks.values(), key=lambda task: (task["created_at"], task["id"]), reverse=True)
            if task["user_id"] == user and status in {None, "all", "completed" if task["completed"] else "pending"}
        ]
        query, listed = f"?limit={limit}" + (f"&status={status}" if status else ""), []
        while True:
            response = self.send(user, "GET", query)
            assert response.status_code == 200
            assert response.json == expected[len(listed) : len(listed) + limit]
            listed += response.json
            assert ("Link" in response.headers) == (len(listed) < len(expected))
            if "Link" not in response.headers:
                break
            query = response.headers["Link"].removesuffix('>; rel="next"').partition("?")[2]
            query = f"?{query}"


def test_every_answer_equals_that_of_a_plain_model(app: Flask) -> None:
    run_state_machine_as_test(
        type("TasksOnDatabase", (Tasks,), {"app": app}),
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
