"""The fast rendering of rows and the documented schema make the same JSON."""

import json
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from todo_api.tasks.rendering import task_json, tasks_json
from todo_api.tasks.schemas import TaskSchema
from todo_api.tasks.store import COLUMNS

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
# As the databases write them, some without zeros at the end: whole seconds, milliseconds.
moments = st.builds(
    lambda at, unit: at.replace(microsecond=at.microsecond // unit * unit),
    st.datetimes(),
    st.sampled_from([1, 1000, 10**6]),
)
times = moments.map(str) | moments.map(lambda at: str(at).rstrip("0") if at.microsecond else str(at))
ids = st.integers(1, 2**63 - 1)
tags = st.none() | st.lists(texts, min_size=1, max_size=3)
rows = st.tuples(
    *(ids, st.none() | texts, texts, st.none() | texts, st.booleans()),
    *(st.sampled_from([None, "2026-12-01", "0001-01-01T00:00"]), st.integers(0, 3), tags, st.none() | times),
    *(times, times, st.none() | ids),
)


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@given(texts, st.lists(rows, max_size=4))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_rows_are_rendered_as_the_schema_dumps_them(user_id: str, found: list[tuple[Any, ...]]) -> None:
    names = [column.key for column in COLUMNS]
    tasks: list[dict[str, Any]] = [{"user_id": user_id, **dict(zip(names, row, strict=True))} for row in found]
    for task in tasks:
        for name in ("completed_at", "created_at", "updated_at"):
            task[name] = task[name] and datetime.fromisoformat(task[name])
        # From before there were keys and revisions, the id stands for both; the last change for a completion.
        task |= {"key": task["key"] or str(task["id"]), "revision": task["revision"] or task["id"]}
        task["tags"] = task["tags"] or []
        task["completed_at"] = (task["completed_at"] or task["updated_at"]) if task["completed"] else None
    assert tasks_json(user_id, found) == dumped(TaskSchema(many=True).dump(tasks))
    for row, task in zip(found, tasks, strict=True):
        assert task_json(user_id, row) == dumped(TaskSchema().dump(task))
        assert list(json.loads(task_json(user_id, row))) == list(TaskSchema().fields)
