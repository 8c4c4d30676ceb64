"""Every error that the API answers: one shape and one vocabulary, made only here."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn, Self

import orjson
from flask import Response
from werkzeug import exceptions
from werkzeug.exceptions import HTTPException
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


class ApiError(HTTPException):
    """An error with its own detail, headers and members; raised anywhere, answered by `error_response`."""

    def __new__(cls, status: Any, *args: Any, **members: Any) -> Self:
        made: Self = super().__new__(_of_status(cls, status))  # type: ignore[arg-type]
        return made

    def __init__(
        self, status: int, detail: str | None = None, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__()
        self.members = members
        self.code = status
        self.detail = detail or reason(status)
        self.headers = headers or {}

    def get_headers(self, *args: object) -> list[tuple[str, str]]:
        return list(self.headers.items())


@cache
def _of_status(error: Any, status: int) -> Any:
    """A class that is werkzeug's for the status as well: by that Flask finds `errorhandler(404)`."""
    return type(error.__name__, (error, exceptions.default_exceptions.get(status, HTTPException)), {})


class InvalidInput(ApiError):
    """A failed validation of one location: the names of its fields ("" for the whole) with their problems."""

    def __new__(cls, *args: Any) -> Self:
        return super().__new__(cls, 422)

    def __init__(self, location: str, problems: Iterable[tuple[str, Problem]]) -> None:
        super().__init__(422, INVALID)
        self.errors = as_errors((f"{location}.{name}" if name else location, wrong) for name, wrong in problems)


class Aborter(exceptions.Aborter):
    """Flask's `abort`: its text is the answer's `detail`. Frameworks raise their errors, with other words, directly."""

    def __call__(self, code: Any, *args: Any, **options: Any) -> NoReturn:
        try:
            super().__call__(code, *args, **options)
        except HTTPException as error:
            error.data = {"message": vars(error).get("description")}  # type: ignore[attr-defined]
            raise


def unavailable() -> ApiError:
    return ApiError(503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def error_body(status: int, detail: str | None = None, **members: object) -> bytes:
    return orjson.dumps({"detail": detail or reason(status), "status_code": status, **members}, option=JSON_OPTIONS)


def error_response(error: HTTPException) -> Response:
    """Answer any HTTP error in the one shape, with the headers that belong to it (Allow, WWW-Authenticate)."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status, data = error.code or 500, getattr(error, "data", {})  # by Flask's or flask-smorest's `abort`
    if isinstance(error, InvalidInput):
        body = orjson.dumps({"detail": error.detail, "errors": error.errors})
    elif isinstance(error, ApiError):
        body = error_body(status, error.detail, **error.members)
    else:
        body = error_body(status, data.get("message"), **{"errors": data["errors"]} if "errors" in data else {})
    response = Response(body, status, mimetype="application/json")
    response.headers.extend(data.get("headers") or {})
    response.headers.extend([pair for pair in error.get_headers() if pair[0] not in {"Content-Type", "Content-Length"}])
    return response
