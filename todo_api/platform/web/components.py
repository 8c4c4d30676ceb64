"""The document's components for errors: their schemas, and the answers that operations share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema, fields

from todo_api.platform.web import errors
from todo_api.platform.web.arguments import JSON
from todo_api.platform.web.headers import REQUEST_ID, RETRY_AFTER

# The vocabulary, as the guide and the document list it.
PROBLEMS = (
    errors.MISSING,
    errors.STRING_TYPE,
    errors.STRING_UNICODE,
    errors.too_short(1),
    errors.too_long(1),
    errors.pattern_mismatch(""),
    errors.BOOL_TYPE,
    errors.INT_PARSING,
    errors.too_small(1),
    errors.too_large(1),
    errors.JSON_INVALID,
    errors.OBJECT_TYPE,
)


class ApiErrorSchema(Schema):
    """Any error but a failed validation."""

    detail = fields.String(required=True, metadata={"description": "What went wrong, for people."})
    status_code = fields.Integer(
        required=True, metadata={"description": "The status again.", "minimum": 400, "maximum": 599}
    )


class ProblemSchema(Schema):
    """What is wrong with one field."""

    field = fields.String(
        required=True,
        metadata={
            "description": "Where: `path`, `query` or `body`, and the name in it; `body` alone for the whole body.",
            "examples": ["body.title"],
        },
    )
    message = fields.String(required=True, metadata={"description": "What is wrong, for people."})
    type = fields.String(
        required=True,
        metadata={
            "description": "What is wrong, for programs: one of a fixed vocabulary.",
            "enum": [problem.type for problem in PROBLEMS],
        },
    )


class ValidationErrorSchema(Schema):
    """A failed validation: every problem of one location, at most one a field."""

    detail = fields.String(required=True, metadata={"examples": ["Validation error"]})
    errors = fields.List(fields.Nested(ProblemSchema), required=True, metadata={"minItems": 1})


def examples(values: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI's examples, from values by their summaries."""
    return {
        summary.lower().replace(" ", "_").replace("'", ""): {"summary": summary, "value": value}
        for summary, value in values.items()
    }


def described(description: str, schema: Any = None, headers: Sequence[str] = (), **content: Any) -> dict[str, Any]:
    """An answer as OpenAPI has it; every answer carries the request's id."""
    answer: dict[str, Any] = {
        "description": description,
        "headers": {name: name for name in (*headers, REQUEST_ID.name)},
    }
    if links := content.pop("links", None):
        answer["links"] = links
    if schema is not None:
        answer["content"] = {JSON: {"schema": schema, **content}}
    return answer


class ErrorAnswer(NamedTuple):
    """An error that operations share: its component, its meaning, and examples of `detail` by their summaries."""

    status: int
    name: str
    description: str
    details: Mapping[str, str] = {}
    headers: Sequence[str] = ()

    def documented(self) -> dict[str, Any]:
        details = self.details or {errors.DETAILS[self.status]: errors.DETAILS[self.status]}
        values = {summary: {"detail": text, "status_code": self.status} for summary, text in details.items()}
        return described(self.description, ApiErrorSchema, self.headers, examples=examples(values))


BAD_REQUEST = ErrorAnswer(400, "BadRequest", "Malformed HTTP, such as two different `Content-Length`s.")
CONTENT_TOO_LARGE = ErrorAnswer(
    413, "ContentTooLarge", "The body is larger than this server takes: 1 MiB unless configured."
)
UNSUPPORTED_TYPE = ErrorAnswer(
    415, "UnsupportedMediaType", "The body is not declared as `application/json`, or it has a `Content-Encoding`."
)
FAULT = ErrorAnswer(500, "InternalServerError", "A fault of the service; its log explains it under the request's id.")
UNAVAILABLE = ErrorAnswer(
    503,
    "ServiceUnavailable",
    "The database, or the keys to verify tokens, cannot be reached. A write may have happened all the same.",
    headers=[RETRY_AFTER.name],
)
ERRORS = (BAD_REQUEST, CONTENT_TOO_LARGE, UNSUPPORTED_TYPE, FAULT, UNAVAILABLE)
