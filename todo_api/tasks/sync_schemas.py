"""Schemas of the feed and of batches."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from todo_api.platform.web.fields import Choice, Integer, IntegerText, Items, Length, Object, OneOf, Range, Timestamp
from todo_api.platform.web.openapi import ProblemSchema
from todo_api.tasks import examples
from todo_api.tasks.model import KEY_LENGTH
from todo_api.tasks.schemas import (
    MAX_REVISION,
    PAGE_LIMIT,
    Key,
    Revision,
    TaskSchema,
    TaskUpdate,
    id_metadata,
    key_metadata,
    time_metadata,
)

MAX_OPERATIONS = 100
MAX_WAIT_SECONDS = 25


class ChangesQuery(Schema):
    since = IntegerText(
        load_default=0,
        validate=Range(0, MAX_REVISION),
        metadata={
            "description": "The client's checkpoint: the `next` of the last page that it has read to the end. The same "
            "through all pages of one pull.",
            "default": 0,
            "format": "int64",
        },
    )
    after = IntegerText(
        load_default=0,
        validate=Range(0, MAX_REVISION),
        metadata={"description": "The `next` of the page before, within one pull.", "default": 0, "format": "int64"},
    )
    limit = IntegerText(
        load_default=PAGE_LIMIT,
        validate=Range(1, PAGE_LIMIT),
        metadata={"description": "How many changes a page holds at most.", "default": PAGE_LIMIT},
    )
    wait = IntegerText(
        load_default=0,
        validate=Range(0, MAX_WAIT_SECONDS),
        metadata={"description": "For how many seconds to wait where there is nothing yet.", "default": 0},
    )


class TombstoneSchema(Schema):
    """What is left of a deleted task."""

    id = fields.Integer(required=True, metadata=id_metadata)
    key = fields.String(required=True, validate=Length(1, KEY_LENGTH), metadata=key_metadata)
    deleted = fields.Boolean(required=True, metadata={"enum": [True]})
    deleted_at = Timestamp(required=True, metadata=time_metadata("When it was deleted.", examples.UPDATED_AT))
    revision = Revision()


class ChangesSchema(Schema):
    """A page of changes, in the order of their revisions."""

    changes = fields.List(OneOf(TaskSchema, TombstoneSchema), required=True)
    next = fields.Integer(
        required=True,
        metadata={
            "description": "While `has_more`, the next page's `after`; else the client's next `since`.",
            "format": "int64",
            "minimum": 1,
            "maximum": MAX_REVISION,
        },
    )
    has_more = fields.Boolean(required=True, metadata={"description": "Whether there are more pages."})


class OperationSchema(Schema):
    """Something to do with one task."""

    op = Choice("put", "delete", required=True)
    key = Key(
        required=True,
        validate=Length(1, KEY_LENGTH),
        metadata={**key_metadata, "description": "The task's key, or its id in digits."},
    )
    if_match = Integer(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Do it only where the task has this revision; 0: where there is none.",
            "format": "int64",
        },
    )
    # Documented for clients, but not validated: it is only compared.
    base = OneOf(
        TaskUpdate,
        required=False,
        allow_none=True,
        metadata={"description": "The task as the client saw it before its change: others' changes are kept."},
    )
    data = Object(TaskUpdate, unknown=EXCLUDE, metadata={"description": "The fields to write; needed in a `put`."})


class BatchSchema(Schema):
    """Operations to do in order, in one transaction."""

    # Each is validated by itself, so that an invalid one does not fail the others.
    operations = Items(OneOf(OperationSchema), max_items=MAX_OPERATIONS, required=True)


def _result(name: str, text: str, status: int, task: fields.Field[Any], **more: fields.Field[Any]) -> type[Schema]:
    if status >= 400:
        more = {"detail": _detail, **more}
    members = {"status": fields.Integer(required=True, metadata={"enum": [status]}), **more, "task": task}
    schema = Schema.from_dict(members, name=name)
    schema.__doc__ = text
    return schema


_detail = fields.String(required=True, metadata={"description": "What went wrong, for people."})
# Always null, but the types of openapi-fetch would lack a property that can be nothing else.
_nothing = OneOf(TaskSchema, allow_none=True, metadata={"description": "`null`."})
_task_or_null = OneOf(TaskSchema, allow_none=True)
_stored = OneOf(TaskSchema, TombstoneSchema)
_where = "Their `field` is the name in the operation, such as `data.title`; empty for the whole of it."
_errors = fields.List(fields.Nested(ProblemSchema), required=True, metadata={"description": _where, "minItems": 1})
RESULTS = (
    _result("Written", "The task as it now stands, or a deleted one's tombstone.", 200, _stored),
    _result("Created", "The new task.", 201, OneOf(TaskSchema)),
    _result("NothingToDelete", "There was nothing to delete.", 204, _nothing),
    _result("TaskNotFound", "There is no task of this id.", 404, _nothing),
    _result("TaskDeleted", "The task is deleted.", 410, OneOf(TombstoneSchema)),
    _result("TaskChanged", "Another client changed the task, or there is none of this key.", 412, _task_or_null),
    _result(
        "InvalidOperation",
        "The operation is not valid.",
        422,
        OneOf(TaskSchema, TombstoneSchema, allow_none=True),
        errors=_errors,
    ),
)


class BatchResultSchema(Schema):
    """A result for each operation, in order; its `status` says what became of the operation."""

    results = fields.List(OneOf(*RESULTS), required=True)
