"""Two clients of one user that are offline most of the time: both end as the service has it, and nothing is lost.

Hypothesis plays random edits, pushes whose answer is lost, pushes that are repeated, and pulls.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.app.model import Json
from tests.support.apps import client_for, empty
from tests.support.machines import play
from tests.support.tasks import TASKS

FIELDS = ("title", "description")

clients = st.integers(0, 1)


@dataclass
class Pending:
    """What a client changed in a task and does not know to be stored."""

    data: Json = field(default_factory=dict)
    # For each field, the stored value that it was changed from; None in a task that is new.
    base: Json | None = field(default_factory=dict)
    # What was already sent, perhaps stored: finding it stored is no conflict.
    sent: list[Json] = field(default_factory=list)
    deleted: bool = False


class Offline:
    """A client as its author would write it from the guide."""

    def __init__(self, api: FlaskClient) -> None:
        self.api = api
        self.since = 0
        self.known: dict[str, Json] = {}
        self.pending: dict[str, Pending] = {}
        self.conflicts: set[tuple[str, str]] = set()  # keys and fields

    def keys(self) -> list[str]:
        """Of the tasks that it shows."""
        return sorted(key for key in {*self.known, *self.pending} if not self.change_of(key).deleted)

    def change_of(self, key: str) -> Pending:
        return self.pending.get(key, Pending())

    def shown(self, key: str, name: str) -> str | None:
        return self.change_of(key).data.get(name, self.known.get(key, {}).get(name))

    def edit(self, key: str, name: str, value: str) -> None:
        change = self.pending.setdefault(key, Pending())
        if change.base is not None:
            change.base.setdefault(name, self.known[key][name])
        change.data[name] = value

    def delete(self, key: str) -> None:
        self.pending.setdefault(key, Pending()).deleted = True

    def push(self, *, answered: bool, repeat: bool) -> None:
        keys = sorted(self.pending)[:30]
        operations = [self.operation(key, self.pending[key]) for key in keys]
        for _ in range(1 + repeat):
            response = self.api.post(f"{TASKS}/batch", json={"operations": operations})
            assert response.status_code == 200, response.text
        if answered:
            for key, result in zip(keys, response.json["results"], strict=True):
                self.take_result(key, result)

    def operation(self, key: str, change: Pending) -> Json:
        if change.deleted:
            return {"op": "delete", "key": key}
        base = change.base if change.base is not None else change.sent[0] if change.sent else None
        change.sent.append(dict(change.data))
        operation = {"op": "put", "key": key, "data": dict(change.data), "base": base}
        return operation if base is not None else {**operation, "if_match": 0}

    def take_result(self, key: str, result: Json) -> None:
        assert result["status"] in {200, 201, 204, 410, 412}, result
        task = result["task"]
        if result["status"] == 412:
            self.take(task)
            return
        change = self.pending.pop(key)
        self.known.pop(key, None)
        if task is None or "deleted" in task:
            self.conflicts |= {(key, name) for name in change.data}
        else:
            self.known[key] = task

    def pull(self, limit: int) -> None:
        if self.since == 0:
            # A pull from 0 names all that there is, and not what is deleted.
            self.known = {key: task for key, task in self.known.items() if key in self.pending}
        after, page = 0, {"has_more": True}
        while page["has_more"]:
            response = self.api.get(f"{TASKS}/changes?since={self.since}&after={after}&limit={limit}")
            assert response.status_code == 200
            page, after = response.json, response.json["next"]
            for change in page["changes"]:
                self.take(change)
        self.since = after

    def take(self, task: Json) -> None:
        """What is stored, with whatever is pending still on top of it."""
        key, change = task["key"], self.pending.get(task["key"])
        if "deleted" in task:
            self.known.pop(key, None)
            if change := self.pending.pop(key, None):
                self.conflicts |= {(key, name) for name in change.data}
            return
        self.known[key] = task
        if change is None or change.deleted:
            return
        base, change.base = change.base, {}
        for name in list(change.data):
            ours = [sent.get(name) for sent in change.sent] + [(base or {}).get(name, task[name])]
            if base is None:
                ours = [sent.get(name) for sent in change.sent]
            if task[name] == change.data[name]:
                del change.data[name]
            elif task[name] in ours:
                change.base[name] = task[name]
            else:
                del change.data[name]
                self.conflicts.add((key, name))
        if not change.data:
            del self.pending[key]


class TwoOffline(RuleBasedStateMachine):
    app: Flask

    @initialize()
    def start_empty(self) -> None:
        empty(self.app)
        self.clients = [Offline(client_for(self.app, "alice")) for _ in range(2)]
        self.created: set[str] = set()
        self.deleted: set[str] = set()
        # Of each field of a task its edits: by which client, and what it showed before.
        self.edits: dict[tuple[str, str], dict[str, tuple[int, str | None]]] = defaultdict(dict)
        self.count = 0

    def new_value(self) -> str:
        self.count += 1
        return f"v{self.count}"

    @rule(number=clients)
    def create(self, number: int) -> None:
        key = self.new_value()
        self.created.add(key)
        self.clients[number].pending[key] = Pending(data={}, base=None)
        for name in FIELDS:
            self.edit_field(number, key, name)

    @rule(number=clients, which=st.integers(0, 9), name=st.sampled_from(FIELDS))
    def edit(self, number: int, which: int, name: str) -> None:
        if keys := self.clients[number].keys():
            self.edit_field(number, keys[which % len(keys)], name)

    def edit_field(self, number: int, key: str, name: str) -> None:
        value = self.new_value()
        self.edits[key, name][value] = (number, self.clients[number].shown(key, name))
        self.clients[number].edit(key, name, value)

    @rule(number=clients, which=st.integers(0, 9))
    def delete(self, number: int, which: int) -> None:
        if keys := self.clients[number].keys():
            key = keys[which % len(keys)]
            self.deleted.add(key)
            self.clients[number].delete(key)

    @rule(number=clients, answered=st.booleans(), repeat=st.booleans())
    def push(self, number: int, answered: bool, repeat: bool) -> None:
        self.clients[number].push(answered=answered, repeat=repeat)

    @rule(number=clients, limit=st.sampled_from([1, 2, 1000]))
    def pull(self, number: int, limit: int) -> None:
        self.clients[number].pull(limit)

    def teardown(self) -> None:
        if not hasattr(self, "clients"):
            return
        for _ in range(4):
            for client in self.clients:
                client.pull(1000)
                client.push(answered=True, repeat=False)
        stored = {task["key"]: task for task in client.api.get(TASKS).json}
        assert len(stored) == len(client.api.get(TASKS).json)
        for client in self.clients:
            client.pull(1000)
            assert client.pending == {}
            assert client.known == stored
        assert self.created - stored.keys() <= self.deleted
        assert stored.keys() <= self.created
        for (key, name), edits in self.edits.items():
            if key in stored:
                self.check_field(key, name, stored[key][name], edits)

    def check_field(self, key: str, name: str, value: Any, edits: dict[str, tuple[int, str | None]]) -> None:
        """Whoever edited it last saw all the other edits, or a conflict was reported."""
        seen = set()
        while value in edits:
            seen.add(value)
            value = edits[value][1]
        assert seen
        for lost in edits.keys() - seen:
            assert (key, name) in self.clients[edits[lost][0]].conflicts


def test_two_offline_clients_lose_nothing_and_end_alike(app: Flask) -> None:
    play(TwoOffline, app)
