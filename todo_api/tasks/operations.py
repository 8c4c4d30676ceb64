"""One operation of a batch: its fields, its errors, and how it compares with the stored task."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import EXCLUDE, ValidationError

from todo_api.platform.web.arguments import problems_in
from todo_api.platform.web.errors import Problem, as_errors, problem
from todo_api.platform.web.fields import parse_integer
from todo_api.tasks.schemas import TaskCreate, TaskUpdate
from todo_api.tasks.sync_schemas import OperationSchema

_operation = OperationSchema()
WRITABLE = TaskUpdate().fields.keys()
# A new task's values for fields that the client did not send.
DEFAULTS = {
    name: field.load_default for name, field in TaskCreate().fields.items() if name in WRITABLE and not field.required
}
MISSING_TITLE = as_errors([("data.title", problem("missing"))])[0]


class Operation:
    """An operation as it was sent. If invalid, it has `errors`, and an empty `key` if the key itself is invalid."""

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
        self.base = {name: _without_repeats(value) for name, value in base.items()} if isinstance(base, dict) else {}

    def changes_of(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that the client has changed: not those stored already, nor those that equal its `base`."""
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


def _without_repeats(value: Any) -> Any:
    """Tags as they are stored; any other value as it is."""
    is_tags = isinstance(value, list) and all(isinstance(tag, str) for tag in value)
    return list(dict.fromkeys(value)) if is_tags else value


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: `true` is not 1, `3.0` is 3."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _load(sent: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Problem]]]:
    """The valid fields, and the problems of the others."""
    try:
        return _operation.load(sent, unknown=EXCLUDE), []
    except ValidationError as error:
        return error.valid_data, list(problems_in(error.messages))  # type: ignore[return-value]
