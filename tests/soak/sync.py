"""Writers beside readers of the feed: does every reader end up with what is stored, each change in its order?"""

import os
import random
import signal
import threading
import time
from abc import ABC, abstractmethod
from http.client import HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import URL

from tests.support.client import Answer, Client
from tests.support.service import Service, serving

Json = dict[str, Any]

# So few that writers of the same user meet.
USERS = ("alice", "bob")
WRITERS, READERS = 8, 4
# A writer may find its task deleted, or not as it was.
EXPECTED = {200, 201, 204, 404, 410, 412}


class Actor(threading.Thread, ABC):
    """Acts for a user until it is told to end. A killed worker takes its connections along: it connects again."""

    def __init__(self, port: int, user_id: str, seed: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.user_id = user_id
        self.problems: list[str] = []
        self.done = 0
        self.cut = 0  # requests whose connection ended without an answer
        self.random = random.Random(seed)
        self._tasks = f"/api/{user_id}/tasks"
        self._client = Client(port, user_id, 30)
        self._ended = ended

    def run(self) -> None:
        with self._client:
            while not self._ended.is_set():
                self.act()

    @abstractmethod
    def act(self) -> None:
        """Do one thing."""

    def ask(self, method: str, path: str = "", body: Any = None, **headers: str) -> Answer | None:
        """The answer; None where there was none."""
        try:
            answer = self._client.request(method, self._tasks + path, body, headers)
        except (OSError, HTTPException):
            self._client.connection.close()
            self.cut += 1
            return None
        self.done += 1
        if answer.status not in EXPECTED:
            self.problems.append(f"{method} {path}: {answer.status} {answer.body}")
        return answer


class Writer(Actor):
    """Writes single tasks and batches, with keys; `written` has the highest revision acknowledged for each id."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.keys: list[str] = []
        self.written: dict[int, int] = {}

    def act(self) -> None:
        if self.random.random() < 0.3 or not self.written:
            self.batch([self.operation() for _ in range(self.random.randint(1, 20))])
            return
        task_id = self.random.choice(list(self.written))
        method, path, body = self.random.choice(
            [
                ("POST", "", {"title": "single", "key": self.new_key()}),
                ("PUT", f"/{task_id}", {"title": str(self.random.random())}),
                ("PATCH", f"/{task_id}/complete", None),
                ("DELETE", f"/{task_id}", None),
            ]
        )
        answer = self.ask(method, path, body)
        if answer and answer.status in {200, 201}:
            self.note(answer.body)

    def batch(self, operations: list[Json]) -> None:
        answer = self.ask("POST", "/batch", {"operations": operations})
        if answer is None or answer.status != 200:
            return
        for result in answer.body["results"]:
            if result["status"] not in EXPECTED:
                self.problems.append(str(result))
            if result["task"]:
                self.note(result["task"])

    def operation(self) -> Json:
        if not self.keys or self.random.random() < 0.4:
            return {"op": "put", "key": self.new_key(), "if_match": 0, "data": {"title": "batch"}}
        key = self.random.choice(self.keys)
        if self.random.random() < 0.3:
            return {"op": "delete", "key": key}
        return {"op": "put", "key": key, "data": {"title": "again", "completed": self.random.random() < 0.5}}

    def new_key(self) -> str:
        self.keys = [*self.keys[-50:], uuid4().hex]
        return self.keys[-1]

    def note(self, task: Json) -> None:
        self.written[task["id"]] = max(task["revision"], self.written.get(task["id"], 0))


class Reader(Actor):
    """Pulls small pages, over and over, into a mirror of the user's tasks; now and then it waits for changes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.mirror: dict[int, Json] = {}
        self.since = 1  # a first pull, from 0, would leave out what is deleted by then

    def act(self) -> None:
        self.pull(wait=self.random.choice([0, 1]))

    def pull(self, wait: int = 0) -> None:
        after = 0
        while True:
            answer = self.ask("GET", f"/changes?since={self.since}&after={after}&limit=7&wait={wait}")
            if answer is None or answer.status != 200:
                return
            last = max(self.since, after)
            for change in answer.body["changes"]:
                if change["revision"] <= last:
                    self.problems.append(f"{change['revision']} came after {last}")
                last = change["revision"]
                self.mirror[change["id"]] = change
            after = answer.body["next"]
            if not answer.body["has_more"]:
                self.since = after
                return

    def finish(self) -> None:
        """Read to the end, when nothing is written any more, and compare the mirror with the list."""
        with self._client:
            self.pull()
            self.compare()

    def compare(self) -> None:
        stored = {}
        path = "?limit=1000"
        while path:
            answer = self.ask("GET", path)
            assert answer is not None
            stored |= {task["id"]: task for task in answer.body}
            path = (answer.headers["Link"] or "").partition("?")[2].partition(">")[0]
            path = path and f"?{path}"
        mirror = {task_id: task for task_id, task in self.mirror.items() if "deleted" not in task}
        if mirror != stored:
            differing = {key for key in mirror | stored if mirror.get(key) != stored.get(key)}
            self.problems.append(f"{self.user_id}: mirror and list differ in {len(differing)}: {sorted(differing)[:5]}")


def write_and_read(service: Service, seconds: float, *, kill: bool = False, seed: int = 1) -> Json:
    """What was done, and `problems`: what must not be. `kill` ends a worker each second, as a crash would."""
    ended, silent = threading.Event(), threading.Event()
    writers = [Writer(service.port, USERS[n % len(USERS)], seed + n, ended) for n in range(WRITERS)]
    readers = [Reader(service.port, USERS[n % len(USERS)], seed - n - 1, silent) for n in range(READERS)]
    for actor in (*writers, *readers):
        actor.start()
    kills, deadline = 0, time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 1))
        if kill and left > 1 and (workers := service.workers()):
            os.kill(min(workers), signal.SIGKILL)  # the oldest, so that each is killed in turn
            kills += 1
    ended.set()
    for writer in writers:
        writer.join(30)
    silent.set()
    for reader in readers:
        reader.join(30)
        reader.finish()
        for writer in writers:
            if writer.user_id == reader.user_id:
                _check_acknowledged(writer, reader)
    actors = [*writers, *readers]
    return {
        "writes": sum(writer.done for writer in writers),
        "pages": sum(reader.done for reader in readers),
        "changes seen": sum(len(reader.mirror) for reader in readers),
        "killed": kills,
        "cut": sum(actor.cut for actor in actors),
        "problems": [problem for actor in actors for problem in actor.problems],
    }


def _check_acknowledged(writer: Writer, reader: Reader) -> None:
    """Nothing that was acknowledged is missing in the mirror, or older there."""
    for task_id, revision in writer.written.items():
        if reader.mirror.get(task_id, {"revision": 0})["revision"] < revision:
            reader.problems.append(f"{task_id} was written as {revision} and is {reader.mirror.get(task_id)}")


def run(folder: Path, url: URL, seconds: float, workers: int) -> None:
    with serving(folder, url, WEB_CONCURRENCY=workers) as service:
        for kill in (False, True):
            print(write_and_read(service, seconds, kill=kill, seed=time.time_ns()), flush=True)
