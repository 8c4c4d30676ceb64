"""Rows as JSON, without the cost of loading objects and dumping them field by field."""

from collections.abc import Sequence
from typing import Any

import orjson

from todo_api.db import EPOCH, MICROSECOND, Row
from todo_api.store import COLUMNS

# Plain strings: orjson refuses SQLAlchemy's names, a subclass of str.
NAMES = [str(column.key) for column in COLUMNS]


def task_json(row: Row) -> bytes:
    return _render(_as_dict(row))


def tasks_json(rows: Sequence[Row]) -> bytes:
    return _render([_as_dict(row) for row in rows])


def _render(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _as_dict(row: Row) -> dict[str, Any]:
    """A row as `TaskSchema` dumps it, without the cost: orjson writes the times."""
    task = dict(zip(NAMES, row, strict=True))
    for name in ("created_at", "updated_at"):
        if not task[name].microsecond:  # orjson would leave the fraction out
            task[name] = task[name].isoformat(timespec="microseconds") + "Z"
    return task


def cursor(row: Row) -> str:
    """The position of a row, as `Cursor` reads it."""
    created_at = row[NAMES.index("created_at")]
    return f"{(created_at - EPOCH.replace(tzinfo=None)) // MICROSECOND}_{row[NAMES.index('id')]}"
