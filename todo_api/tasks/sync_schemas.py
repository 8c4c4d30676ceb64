"""Schemas of the feed and of batches."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from todo_api.platform.web.fields import Choice, Integer, Items, Object, OneOf
from todo_api.platform.web.openapi import ProblemSchema
from todo_api.tasks import examples
from todo_api.tasks.schemas import ID, MAX_REVISION, REVISION, Key, Limit, Number, TaskSchema, TaskUpdate, Time, about

MAX_OPERATIONS = 100
MAX_WAIT_SECONDS = 25


class ChangesQuery(Schema):
    _since = "The client's checkpoint: the `next` of the last page of its last pull; the same through one pull."
    since = Number(MAX_REVISION, _since, format="int64")
    after = Number(MAX_REVISION, "The `next` of the page before, within one pull.", format="int64")
    limit = Limit()
    wait = Number(MAX_WAIT_SECONDS, "For how many seconds to wait where there is nothing yet.")


class TombstoneSchema(Schema):
    """What is left of a deleted task."""

    id = fields.Integer(required=True, metadata=ID)
    key = Key("The task's key.", required=True)
    deleted = fields.Boolean(required=True, metadata={"enum": [True]})
    deleted_at = Time("When it was deleted.", examples.UPDATED_AT)
    revision = fields.Integer(required=True, metadata=REVISION)


class ChangesSchema(Schema):
    """A page of changes, in the order of their revisions."""

    changes = fields.List(OneOf(TaskSchema, TombstoneSchema), required=True)
    _next = "While `has_more`, the next page's `after`; else the client's next `since`."
    next = fields.Integer(required=True, metadata=about(_next, format="int64", minimum=1, maximum=MAX_REVISION))
    has_more = fields.Boolean(required=True, metadata=about("Whether there are more pages."))


class OperationSchema(Schema):
    """Something to do with one task."""

    op = Choice("put", "delete", required=True)
    key = Key("The task's key, or its id in digits.", required=True)
    _if_match = "Do it only where the task has this revision; 0: where there is none."
    if_match = Integer(load_default=None, metadata=about(_if_match, format="int64"))
    # Documented for clients, but not validated: it is only compared.
    _base = "The task as the client saw it before its change: others' changes are kept."
    base = OneOf(TaskUpdate, required=False, allow_none=True, metadata=about(_base))
    data = Object(TaskUpdate, unknown=EXCLUDE, metadata=about("The fields to write; needed in a `put`."))


class BatchSchema(Schema):
    """Operations to do in order, in one transaction."""

    # Each is validated by itself, so that an invalid one does not fail the others.
    operations = Items(OneOf(OperationSchema), max_items=MAX_OPERATIONS, required=True)


def _result(status: int, name: str, text: str, *task: type[Schema], null: bool = False) -> type[Schema]:
    """A result's schema, with the schemas of its `task`, which may be null."""
    members: dict[str, fields.Field[Any]] = {"status": fields.Integer(required=True, metadata={"enum": [status]})}
    if status >= 400:
        members["detail"] = fields.String(required=True, metadata=about("What went wrong, for people."))
    if status == 422:
        where = "Their `field` is the name in the operation, such as `data.title`; empty for the whole of it."
        metadata = about(where, minItems=1)
        members["errors"] = fields.List(fields.Nested(ProblemSchema), required=True, metadata=metadata)
    schema = Schema.from_dict({**members, "task": OneOf(*task, allow_none=null)}, name=name)
    schema.__doc__ = text
    return schema


# Of 204 and 404 the task is always null, but the types of openapi-fetch lack a property that can be nothing else.
RESULTS = (
    _result(200, "Written", "The task as it now stands, or a deleted one's tombstone.", TaskSchema, TombstoneSchema),
    _result(201, "Created", "The new task.", TaskSchema),
    _result(204, "NothingToDelete", "There was nothing to delete: `task` is `null`.", TaskSchema, null=True),
    _result(404, "TaskNotFound", "There is no task of this id: `task` is `null`.", TaskSchema, null=True),
    _result(410, "TaskDeleted", "The task is deleted.", TombstoneSchema),
    _result(412, "TaskChanged", "Another client changed it, or there is none of this key.", TaskSchema, null=True),
    _result(422, "InvalidOperation", "The operation is not valid.", TaskSchema, TombstoneSchema, null=True),
)


class BatchResultSchema(Schema):
    """A result for each operation, in order; its `status` says what became of the operation."""

    results = fields.List(OneOf(*RESULTS), required=True)
