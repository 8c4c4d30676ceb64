"""A plain model of the API in memory: what it answers, without a database and without speed."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]

DEFAULTS = {"title": "", "description": None, "completed": False, "due": None, "priority": 0, "tags": []}
WRITABLE = tuple(DEFAULTS)
MESSAGES = {
    "missing": "Field required",
    "string_type": "Input should be a valid string",
    "string_unicode": "String should not contain U+0000 or a lone surrogate",
    "bool_type": "Input should be a valid boolean",
    "string_too_short": "String should have at least 1 character",
    "date_parsing": "Input should be a real date (YYYY-MM-DD), or date and time (…THH:MM)",
    "int_type": "Input should be a valid integer",
    "less_than_equal": "Input should be less than or equal to 3",
    "list_type": "Input should be a valid list",
}
# Of each order the sort key, and whether it goes down.
ORDERS: dict[str, tuple[Callable[[Json], Any], bool]] = {
    "-created": (lambda task: (task["created_at"], task["id"]), True),
    "created": (lambda task: (task["created_at"], task["id"]), False),
    "due": (lambda task: (task["due"] or "~", task["id"]), False),
    "-priority": (lambda task: (task["priority"], task["id"]), True),
    "-updated": (lambda task: (task["updated_at"], task["id"]), True),
}
MOST = {"title": 200, "description": 1000, "tags": 50}


def text_problem(value: Any, least: int, most: int) -> str | None:
    if not isinstance(value, str):
        return "string_type"
    if any(character == "\0" or 0xD800 <= ord(character) <= 0xDFFF for character in value):
        return "string_unicode"
    if len(value) < least:
        return "string_too_short"
    return "string_too_long" if len(value) > most else None


def due_problem(value: Any) -> str | None:
    if not isinstance(value, str):
        return "string_type"
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M"):
        with suppress(ValueError):
            if datetime.strptime(value, form).strftime(form).zfill(len(value)) == value:
                return None
    return "date_parsing"


def priority_problem(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return "int_type"
    return "less_than_equal" if value > 3 else None


def problems(body: Json, *, new: bool, location: str = "body") -> list[Json]:
    """What is wrong with a task's fields."""
    kinds = {}
    if "title" in body:
        kinds["title"] = text_problem(body["title"], 1, MOST["title"])
    elif new:
        kinds["title"] = "missing"
    if body.get("description") is not None:
        kinds["description"] = text_problem(body["description"], 0, MOST["description"])
    if "completed" in body and not isinstance(body["completed"], bool):
        kinds["completed"] = "bool_type"
    if body.get("due") is not None:
        kinds["due"] = due_problem(body["due"])
    if "priority" in body:
        kinds["priority"] = priority_problem(body["priority"])
    if "tags" in body:
        tags = body["tags"] if isinstance(body["tags"], list) else None
        kinds["tags"] = "list_type" if tags is None else None
        kinds |= {f"tags.{at}": text_problem(tag, 1, MOST["tags"]) for at, tag in enumerate(tags or [])}
    return [
        {
            "field": f"{location}.{name}",
            "message": MESSAGES.get(kind) or f"String should have at most {MOST[name.partition('.')[0]]} characters",
            "type": kind,
        }
        for name, kind in kinds.items()
        if kind
    ]


def known(body: Json) -> Json:
    return {name: once(body[name]) for name in WRITABLE if name in body}


def once(value: Any) -> Any:
    """Tags without repeats."""
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return list(dict.fromkeys(value)) if is_list else value


@dataclass
class User:
    """A user's tasks and tombstones by their ids; the last revision, and up to which tombstones were purged."""

    name: str
    tasks: dict[int, Json] = field(default_factory=dict)
    tombstones: dict[int, Json] = field(default_factory=dict)
    counter: int = 0
    horizon: int = 0

    def with_key(self, key: str) -> Json | None:
        """The task or tombstone that a batch's key means."""
        if key.isdecimal():
            return self.tasks.get(int(key)) or self.tombstones.get(int(key))
        return next((each for each in (*self.tasks.values(), *self.tombstones.values()) if each["key"] == key), None)

    def create(self, task_id: int, key: str | None, fields: Json, now: datetime, revision: int) -> Json:
        task = {"id": task_id, "key": key or str(task_id), "user_id": self.name, **DEFAULTS, **fields}
        task["completed_at"] = now if task["completed"] else None
        self.tasks[task_id] = task | {"created_at": now, "updated_at": now, "revision": self.take(revision)}
        return self.tasks[task_id]

    def touch(self, task: Json, changes: Json, now: datetime, revision: int) -> None:
        later = max(now, task["updated_at"] + timedelta(microseconds=1))
        if changes.get("completed", task["completed"]) != task["completed"]:
            task["completed_at"] = later if changes["completed"] else None
        task.update(changes, updated_at=later, revision=self.take(revision))

    def delete(self, task: Json, tombstone: Json) -> Json:
        """The tombstone is the service's, since it alone knows the time and the revision."""
        assert tombstone.keys() == {"id", "key", "deleted", "deleted_at", "revision"}
        assert (tombstone["id"], tombstone["key"], tombstone["deleted"]) == (task["id"], task["key"], True)
        self.take(tombstone["revision"])
        del self.tasks[task["id"]]
        self.tombstones[task["id"]] = tombstone
        return tombstone

    def take(self, revision: int) -> int:
        assert self.counter < revision < 2**53
        self.counter = revision
        return revision

    def purge(self) -> None:
        self.horizon = max([self.horizon, *(tombstone["revision"] for tombstone in self.tombstones.values())])
        self.tombstones.clear()

    def pages(self, since: int, limit: int) -> Iterator[Json]:
        """The pages of a pull."""
        after = 0
        while True:
            start = max(since, after)
            changes = [*self.tasks.values()] if start == 0 else [*self.tasks.values(), *self.tombstones.values()]
            changes = sorted((each for each in changes if each["revision"] > start), key=lambda each: each["revision"])
            has_more = len(changes) > limit
            after = changes[limit - 1]["revision"] if has_more else max(self.counter, start, 1)
            yield {"changes": [shown(each) for each in changes[:limit]], "next": after, "has_more": has_more}
            if not has_more:
                return


def shown(each: Json) -> Json:
    """A task or a tombstone as it is answered."""
    times = {name: value for name, value in each.items() if isinstance(value, datetime)}
    return {**each, **{name: f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" for name, value in times.items()}}


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, in which `true` is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def conflicts(operation: Json, stored: Json, fields: Json | None) -> bool:
    """Whether an operation's conditions do not hold; `fields` are those to be changed, None: all of its base."""
    if operation.get("if_match") is not None and operation["if_match"] != stored["revision"]:
        return True
    base = operation.get("base") or {}
    return any(
        name in WRITABLE and not same(once(base[name]), stored[name])
        for name in base
        if fields is None or name in fields
    )


def expected_status(user: User, operation: Json) -> int:
    """What the operation of a batch is answered, before it is done."""
    stored = user.with_key(operation["key"])
    deleted = stored is not None and "deleted" in stored
    if operation["op"] == "delete":
        if stored is None or deleted:
            return 204
        return 412 if conflicts(operation, stored, None) else 200
    data, base = known(operation["data"]), operation.get("base") or {}
    if problems(operation["data"], new=False):
        return 422
    if deleted:
        return 410
    if stored is None:
        if operation["key"].isdecimal():
            return 404
        if operation.get("if_match"):
            return 412
        return 201 if "title" in data else 422
    wanted = changes_of(data, base, stored)
    return 412 if wanted and conflicts(operation, stored, wanted) else 200


def changes_of(data: Json, base: Json, stored: Json) -> Json:
    return {
        name: value
        for name, value in data.items()
        if not same(value, stored[name]) and not (name in base and same(once(base[name]), value))
    }
