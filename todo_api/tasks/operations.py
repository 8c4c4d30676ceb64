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
DEFAULTS = TaskCreate(exclude=("title",)).load({})
MISSING_TITLE = as_errors([("data.title", problem("missing"))])[0]


class Operation:
    """An operation as it was sent. If invalid, it has `errors`, and an empty `key` if the key itself is invalid."""

    def __init__(self, sent: Any) -> None:
        loaded, problems = _load(sent)
        self.errors = as_errors(problems)
        self.op: str = loaded.get("op", "")
        self.data: dict[str, Any] = loaded.get("data", {})
        self.key: str = loaded.get("key", "")
        self.task_id = parse_integer(self.key) if self.key.isdecimal() else None
        self.if_match: int | None = loaded.get("if_match")
        base = loaded.get("base")
        seen = base.items() if isinstance(base, dict) else ()
        self.base = {name: _without_repeats(value) for name, value in seen if name in WRITABLE}

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
        return any(name in self.base and not is_same(self.base[name], task[name]) for name in fields)


def _load(sent: Any) -> tuple[dict[str, Any], list[tuple[str, Problem]]]:
    """The valid fields of an operation, and the problems of the others."""
    if not isinstance(sent, dict):
        return {}, [("", problem("model_attributes_type"))]
    ignored = {"data"} if sent.get("op") == "delete" else set()
    try:
        loaded = _operation.load({name: sent[name] for name in sent.keys() - ignored}, unknown=EXCLUDE)
        problems: list[tuple[str, Problem]] = []
    except ValidationError as error:
        loaded, problems = error.valid_data, list(problems_in(error.messages))
    if loaded.get("op") == "put" and "data" not in sent:
        problems.append(("data", problem("missing")))
    return loaded, problems


def _without_repeats(value: Any) -> Any:
    """Tags as they are stored; any other value as it is."""
    is_tags = isinstance(value, list) and all(isinstance(tag, str) for tag in value)
    return list(dict.fromkeys(value)) if is_tags else value


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: `true` is not 1, `3.0` is 3."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other
