"""Every error that the API answers: one shape and one vocabulary, made only here."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

import orjson
from flask import Response
from werkzeug import exceptions
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.http import HTTP_STATUS_CODES

# The vocabulary of failed validations: each `type`, which clients switch on, with its message for people.
MESSAGES = {
    "missing": "Field required",
    "string_type": "Input should be a valid string",
    "string_unicode": "String should not contain U+0000 or a lone surrogate",
    "string_too_short": "String should have at least {}",
    "string_too_long": "String should have at most {}",
    "string_pattern_mismatch": "Input should be {}",
    "bool_type": "Input should be a valid boolean",
    "int_parsing": "Input should be a valid integer, unable to parse string as an integer",
    "int_type": "Input should be a valid integer",
    "list_type": "Input should be a valid list",
    "too_long": "List should have at most {} items after validation, not {}",
    "date_parsing": "Input should be {}",
    "literal_error": "Input should be {}",
    "greater_than_equal": "Input should be greater than or equal to {}",
    "less_than_equal": "Input should be less than or equal to {}",
    "json_invalid": "JSON decode error",
    "model_attributes_type": "Input should be a valid object",
}
INVALID = "Validation error"
RETRY_AFTER_SECONDS = 1
# Naive times are in UTC.
JSON_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
# Key in the WSGI environment: the error with which the server refuses a request.
REFUSED = "todo_api.refused"


def reason(status: int) -> str:
    """The `detail` where the code that raises an error gives none; of 413 werkzeug has an older name."""
    return "Content Too Large" if status == 413 else HTTP_STATUS_CODES.get(status, "Unknown Error")


class Problem(NamedTuple):
    """What is wrong with one value."""

    type: str
    message: str


def problem(type_: str, *values: object) -> Problem:
    return Problem(type_, MESSAGES[type_].format(*values))


def as_errors(problems: Iterable[tuple[str, Problem]]) -> list[dict[str, str]]:
    """Fields with their problems, as an answer lists them."""
    return [{"field": field, "message": message, "type": type_} for field, (type_, message) in problems]


def api_error(
    status: int, detail: str | None = None, headers: Mapping[str, str] | None = None, **members: object
) -> HTTPException:
    """werkzeug's error for a status, with its own detail, headers and members, which `error_response` answers."""
    error = default_exceptions.get(status, HTTPException)()
    error.code = status
    error.data = {"message": detail, "headers": headers, **members}  # type: ignore[attr-defined]  # as flask-smorest's
    return error


def invalid_input(location: str, problems: Iterable[tuple[str, Problem]]) -> HTTPException:
    """A failed validation of one location: the names of its fields ("" for the whole) with their problems."""
    errors = as_errors((f"{location}.{name}" if name else location, wrong) for name, wrong in problems)
    return api_error(422, INVALID, errors=errors)


class Aborter(exceptions.Aborter):
    """Flask's `abort`: its text is the answer's `detail`. What frameworks raise themselves may hold anything."""

    def __call__(self, code: Any, *args: Any, **options: Any) -> NoReturn:
        try:
            super().__call__(code, *args, **options)
        except HTTPException as error:
            error.data = {"message": vars(error).get("description")}  # type: ignore[attr-defined]
            raise


def unavailable() -> HTTPException:
    return api_error(503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def error_body(status: int, detail: str | None = None, **members: object) -> bytes:
    return orjson.dumps({"detail": detail or reason(status), "status_code": status, **members}, option=JSON_OPTIONS)


def error_response(error: HTTPException) -> Response:
    """Answer any HTTP error in the one shape, with the headers that belong to it (Allow, WWW-Authenticate)."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    members = dict(getattr(error, "data", {}))
    headers, detail = members.pop("headers", None), members.pop("message", None)
    if status == 422 and "errors" in members:
        body = orjson.dumps({"detail": detail or reason(status), "errors": members["errors"]})
    else:
        body = error_body(status, detail, **members)
    response = Response(body, status, mimetype="application/json")
    response.headers.extend(headers or {})
    response.headers.extend([pair for pair in error.get_headers() if pair[0] not in {"Content-Type", "Content-Length"}])
    return response
