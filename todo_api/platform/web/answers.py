"""What is answered, as the document's components say it: headers, errors, and examples of each."""

from typing import Any, NamedTuple

from marshmallow import Schema, fields

from todo_api.platform.logs import REQUEST_ID_HEADER
from todo_api.platform.web import errors
from todo_api.platform.web.errors import InvalidInput

JSON = "application/json"

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

HEADERS: dict[str, dict[str, Any]] = {
    REQUEST_ID_HEADER: {
        "description": "Names this request in the server's log: the one sent with the request if it is well-formed, "
        "else a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "example": "7f3c2a9be1d04c58a6b0d2e4f8091a3c",
    },
    "Link": {
        "description": 'Where the next page is, as a relative reference with `rel="next"`; absent on the last page.',
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
        "example": '</api/alice/tasks?limit=2&cursor=1768557600123456_41>; rel="next"',
    },
    "Location": {
        "description": "Where the new task is, as a relative reference.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/alice/tasks/42",
    },
    "WWW-Authenticate": {
        "description": 'RFC 6750: the scheme alone where no token came, else with `error="invalid_token"`.',
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer( .*)?$"},
        "example": 'Bearer error="invalid_token", error_description="Token has expired"',
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "example": errors.RETRY_AFTER_SECONDS,
    },
}


class Error(NamedTuple):
    """An error that operations share: its component's name, what it means, and the details it comes with."""

    name: str
    description: str
    details: dict[str, str]
    headers: tuple[str, ...] = ()


ERRORS = {
    400: Error("BadRequest", "The server refuses what is no proper HTTP, such as two different `Content-Length`s.", {}),
    401: Error(
        "Unauthorized",
        "There is no bearer token, or none that is valid.",
        {
            "No token": "Not authenticated",
            "Expired": "Token has expired",
            "Invalid": "Invalid token: signature verification failed",
        },
        ("WWW-Authenticate",),
    ),
    403: Error(
        "Forbidden",
        "The token is another user's than the `user_id` in the path.",
        {"Another user's": "Access denied: You can only access your own resources"},
    ),
    404: Error("NotFound", "This user has no such task.", {"No such task": "Task with id 999 not found"}),
    413: Error("ContentTooLarge", "The body is larger than this server takes: 1 MiB unless configured.", {}),
    415: Error(
        "UnsupportedMediaType",
        "The body is not declared as `application/json`, or it has a `Content-Encoding`.",
        {},
    ),
    500: Error("InternalServerError", "A fault of the service, which its log explains under the request's id.", {}),
    503: Error(
        "ServiceUnavailable",
        "The database, or the keys to verify tokens, cannot be reached. A write may have happened all the same.",
        {},
        ("Retry-After",),
    ),
}


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


def examples(values: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's examples, from values by their summaries."""
    return {
        summary.lower().replace(" ", "_").replace("'", ""): {"summary": summary, "value": value}
        for summary, value in values.items()
    }


def answered(
    schema: type[Schema], description: str, values: dict[str, Any], headers: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name: name for name in (*headers, REQUEST_ID_HEADER)},
        "content": {JSON: {"schema": schema, "examples": examples(values)}},
    }


def invalid(found: dict[str, InvalidInput]) -> dict[str, Any]:
    """The answer to input that an operation's schemas refuse, each refusal by its summary."""
    values = {summary: {"detail": error.detail, "errors": error.errors} for summary, error in found.items()}
    return answered(ValidationErrorSchema, "Something in the path, the query or the body is not valid.", values)
