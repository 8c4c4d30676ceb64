"""Clients with the habits of version 1.0, which know what must be stored whichever replica they ask."""

import random
import threading
import time
from http.client import HTTPException
from typing import Any, NamedTuple

from tests.soak.sync import Json
from tests.support.client import Client

# So many tasks a client has at most, and so long it pauses after each request.
TASKS, PAUSE_SECONDS = 50, 0.01


class Outcome(NamedTuple):
    method: str
    status: int  # 0: the connection ended without an answer
    seconds: float


class Frontend:
    """Creates, updates, toggles, deletes, lists and reads, each time at the replica that chance picks.

    `tasks` has the values that each field may have: the one acknowledged last, and what was sent since without being
    acknowledged. Only these fields are written, so that clients can share a task.
    """

    def __init__(self, ports: list[int], user_id: str, shared: dict[int, dict[str, set[Any]]], seed: int) -> None:
        self.user_id = user_id
        [self._shared] = shared
        self.tasks = shared
        self.deleted: set[int] = set()
        self.in_doubt: set[int] = set()  # their DELETE is not acknowledged
        self.outcomes: list[Outcome] = []
        self.lost: list[str] = []
        self.wrong: list[str] = []
        self._path = f"/api/{user_id}/tasks"
        self._replicas = [Client(port, user_id, 30) for port in ports]
        self._random = random.Random(seed)
        self._count = 0

    def run(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self._count += 1
            # A second in three, all write what they share as fast as they can: versions meet at a row.
            if int(time.monotonic()) % 3 == 0:
                self._put(self._shared)
                continue
            task_id = self._random.choice(list(self.tasks))
            own = [self._toggle, self._toggle, self._delete] if task_id != self._shared else []
            self._random.choice([self._list, self._read, self._create, self._put, self._put, *own])(task_id)
            ended.wait(PAUSE_SECONDS)

    def _list(self, _: int) -> None:
        for listed in self._ask("GET", "?limit=20") or ():
            self.compare(listed)

    def _read(self, task_id: int) -> None:
        if read := self._ask("GET", f"/{task_id}", of=task_id):
            self.compare(read)

    def _create(self, _: int) -> None:
        sent = {"title": f"new {self._count}", "description": None, "completed": False}
        if len(self.tasks) < TASKS and (created := self._ask("POST", body=sent)):
            self.tasks[created["id"]] = {name: {value} for name, value in sent.items()}
            self.compare(created)

    def _put(self, task_id: int) -> None:
        name = self._random.choice([name for name in self.tasks[task_id] if name != "completed"])
        value = f"{name} {self._count}"
        self._change(task_id, name, {value}, "PUT", f"/{task_id}", {name: value})

    def _toggle(self, task_id: int) -> None:
        flipped = {not value for value in self.tasks[task_id]["completed"]}
        self._change(task_id, "completed", flipped, "PATCH", f"/{task_id}/complete")

    def _delete(self, task_id: int) -> None:
        self.in_doubt.add(task_id)
        if self._ask("DELETE", f"/{task_id}", of=task_id) is not None:
            self._forget(task_id)

    def _change(self, task_id: int, name: str, new: set[Any], method: str, path: str, body: Json | None = None) -> None:
        task = self.tasks[task_id]
        task[name] = task[name] | new
        if changed := self._ask(method, path, body, of=task_id):
            task[name] = new
            self.compare(changed)
            task[name] = {changed[name]}

    def _ask(self, method: str, path: str = "", body: Json | None = None, of: int = 0) -> Any:
        """What a success answers, else None. Where nobody listens the other replica is asked, as a proxy does it."""
        began, answer = time.monotonic(), None
        for replica in self._random.sample(self._replicas, 2):
            try:
                answer = replica.request(method, self._path + path, body)
            except (OSError, HTTPException) as error:
                replica.connection.close()
                if isinstance(error, ConnectionRefusedError):
                    continue
            break
        status = answer.status if answer else 0
        self.outcomes.append(Outcome(method, status, time.monotonic() - began))
        if answer and status in {200, 201, 204}:
            return answer.body
        if status == 404 and of in self.in_doubt:
            self._forget(of)
        elif status == 404:
            self.lost.append(f"{method} {path}: not found")
        elif answer and status != 503:
            self.wrong.append(f"{method} {path}: {status} {answer.body}")
        return None

    def _forget(self, task_id: int) -> None:
        del self.tasks[task_id]
        self.in_doubt.remove(task_id)
        self.deleted.add(task_id)

    def compare(self, stored: Json) -> None:
        """What is read must be what was acknowledged, whichever replica took it and whichever answers."""
        if stored["id"] in self.deleted:
            self.lost.append(f"{stored} was deleted")
        for name, values in self.tasks.get(stored["id"], {}).items():
            if stored[name] not in values:
                self.lost.append(f"{name} of {stored} is none of {values}")

    def compare_all(self, stored: dict[int, Json]) -> None:
        """The same of all that is stored, and what was created is there unless it was deleted."""
        for task in stored.values():
            self.compare(task)
        self.lost += [f"{task_id} is missing" for task_id in self.tasks.keys() - self.in_doubt - stored.keys()]
