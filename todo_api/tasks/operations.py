"""One operation of a batch: what it asks for, what is wrong with it, and how it compares with a stored task."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import EXCLUDE, ValidationError

from todo_api.platform.web.arguments import problems_in
from todo_api.platform.web.errors import Problem, as_errors, problem
from todo_api.platform.web.fields import parse_integer
from todo_api.tasks.model import MAX_ID
from todo_api.tasks.schemas import TaskCreate, TaskUpdate
from todo_api.tasks.sync_schemas import OperationSchema

_operation = OperationSchema()
WRITABLE = TaskUpdate().fields.keys()
# What a new task has where a client sends nothing.
DEFAULTS = {
    name: field.load_default for name, field in TaskCreate().fields.items() if name in WRITABLE and not field.required
}
MISSING_TITLE = as_errors([("data.title", problem("missing"))])[0]


class Operation:
    """An operation as it was sent. One with `errors` is not valid; its `key` is empty where the key itself is not."""

    def __init__(self, sent: Any) -> None:
        self.errors: list[dict[str, str]] = []
        loaded: Mapping[str, Any] = {}
        if isinstance(sent, dict):
            ignored = {"data"} if sent.get("op") == "delete" else set()
            loaded, problems = _load({name: value for name, value in sent.items() if name not in ignored})
            if loaded.get("op") == "put" and "data" not in sent:
                problems.append(("data", problem("missing")))
            self.errors = as_errors(problems)
        else:
            self.errors = as_errors([("", problem("model_attributes_type"))])
        self.op: str = loaded.get("op", "")
        self.data: dict[str, Any] = loaded.get("data", {})
        self.key: str = loaded.get("key", "")
        self.task_id = parse_integer(self.key) if self.key.isdecimal() else None
        self.if_match: int | None = loaded.get("if_match")
        base = loaded.get("base")
        self.base = {name: _once(value) for name, value in base.items()} if isinstance(base, dict) else {}

    @property
    def may_exist(self) -> bool:
        """Whether the key is an id that the database can be asked for."""
        return self.task_id is not None and 0 < self.task_id <= MAX_ID

    def changes_of(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """What the client has changed: not what is stored already, nor what it found that way."""
        return {
            name: value
            for name, value in self.data.items()
            if task[name] != value and not (name in self.base and is_same(self.base[name], value))
        }

    def conflicts_with(self, task: Mapping[str, Any], fields: Iterable[str]) -> bool:
        """Whether somebody else has changed the task, or one of these fields, since the client saw it."""
        if self.if_match is not None and self.if_match != task["revision"]:
            return True
        based = [name for name in fields if name in self.base and name in WRITABLE]
        return any(not is_same(self.base[name], task[name]) for name in based)


def _once(value: Any) -> Any:
    """A list without repeats, as tags are stored."""
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return list(dict.fromkeys(value)) if is_list else value


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: `true` is not 1, `3.0` is 3."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _load(sent: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Problem]]]:
    """What is valid of it, and the problems of what is not."""
    try:
        return _operation.load(sent, unknown=EXCLUDE), []
    except ValidationError as error:
        return error.valid_data, problems_in(error.messages, _operation)  # type: ignore[return-value]
