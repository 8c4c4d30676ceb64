"""The document's answers: the schemas of errors, and the errors that operations share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema, fields

from todo_api.platform.logs import REQUEST_ID_HEADER
from todo_api.platform.web.arguments import JSON
from todo_api.platform.web.errors import MESSAGES, reason
from todo_api.platform.web.headers import RETRY_AFTER


class ApiErrorSchema(Schema):
    """Any error but a failed validation."""

    detail = fields.String(required=True, metadata={"description": "What went wrong, for people."})
    status_code = fields.Integer(
        required=True, metadata={"description": "The status again.", "minimum": 400, "maximum": 599}
    )


class ProblemSchema(Schema):
    """What is wrong with one field."""

    _where = "Where: `path`, `query` or `body`, and the name in it; `body` alone for the whole body."
    field = fields.String(required=True, metadata={"description": _where, "examples": ["body.title"]})
    message = fields.String(required=True, metadata={"description": "What is wrong, for people."})
    _type = "What is wrong, for programs: one of a fixed vocabulary."
    type = fields.String(required=True, metadata={"description": _type, "enum": list(MESSAGES)})


class ValidationErrorSchema(Schema):
    """A failed validation: every problem of one location, at most one a field."""

    detail = fields.String(required=True, metadata={"examples": ["Validation error"]})
    errors = fields.List(fields.Nested(ProblemSchema), required=True, metadata={"minItems": 1})


def examples(values: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI's examples, from values by summary."""
    return {
        summary.lower().replace(" ", "_").replace("'", ""): {"summary": summary, "value": value}
        for summary, value in values.items()
    }


def described(
    description: str, schema: Any = None, headers: Sequence[str] | Mapping[str, Any] = (), **content: Any
) -> dict[str, Any]:
    """An answer for OpenAPI; `headers` are names of components, or descriptions by name."""
    own = headers if isinstance(headers, Mapping) else {name: name for name in headers}
    names = {**own, REQUEST_ID_HEADER: REQUEST_ID_HEADER}  # which every answer carries
    answer: dict[str, Any] = {"description": description, "headers": names}
    if "links" in content:
        answer["links"] = content.pop("links")
    if schema is not None:
        answer["content"] = {JSON: {"schema": schema, **content}}
    return answer


class ErrorAnswer(NamedTuple):
    """An error that operations share: its component, its meaning, and examples of `detail` by summary."""

    status: int
    name: str
    description: str
    details: Mapping[str, str] = {}
    headers: Sequence[str] | Mapping[str, Any] = ()
    schema: type[Schema] = ApiErrorSchema
    members: Mapping[str, Any] = {}  # what the examples have besides, according to `schema`

    def documented(self) -> dict[str, Any]:
        details = self.details or {reason(self.status): reason(self.status)}
        values = {
            summary: {"detail": text, "status_code": self.status, **self.members} for summary, text in details.items()
        }
        return described(self.description, self.schema, self.headers, examples=examples(values))


BAD_REQUEST = ErrorAnswer(400, "BadRequest", "Malformed HTTP, such as two different `Content-Length`s.")
CONTENT_TOO_LARGE = ErrorAnswer(413, "ContentTooLarge", "The body is larger than the server takes: by default 1 MiB.")
UNSUPPORTED_TYPE = ErrorAnswer(
    415, "UnsupportedMediaType", "The body is not declared as `application/json`, or it has a `Content-Encoding`."
)
FAULT = ErrorAnswer(500, "InternalServerError", "A fault of the service; its log explains it under the request's id.")
UNAVAILABLE = ErrorAnswer(
    503,
    "ServiceUnavailable",
    "The database, or the keys to verify tokens, cannot be reached. A write may have happened all the same.",
    headers=[RETRY_AFTER],
)
ERRORS = (BAD_REQUEST, CONTENT_TOO_LARGE, UNSUPPORTED_TYPE, FAULT, UNAVAILABLE)
