"""What comes in: path, query and body, loaded with a schema each, their faults in the error vocabulary."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import parse_qsl

from flask import Response, request
from marshmallow import Schema, ValidationError, missing

from todo_api.platform.web import errors
from todo_api.platform.web.answers import JSON
from todo_api.platform.web.errors import ApiError, InvalidInput, Problem

View = Callable[..., Response]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_json = json.JSONDecoder(parse_constant=_no_constant)


def receive_body() -> bytes:
    """The body as it came; nothing where there is none. Raises ApiError 415, or 413."""
    environ, length = request.environ, request.content_length
    if not length and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    # Parsed only where there is more to it than that.
    is_json = environ.get("CONTENT_TYPE") == JSON or request.mimetype == JSON
    if not is_json or "HTTP_CONTENT_ENCODING" in environ:
        raise ApiError(415)
    received = request.get_data(cache=False)
    if length is None:
        request.stream.read(1)  # a chunked body past the limit has just been cut off: one byte more is 413
    return received


def read_body() -> Any:
    """The body's JSON object. Raises ApiError 415 or 413, or InvalidInput."""
    received = receive_body()
    if not received:
        raise InvalidInput("body", [("", errors.MISSING)])
    try:
        # Also past reason: nesting that exhausts the stack, and integers past Python's limit of digits.
        body = _json.decode(received.decode())
    except (ValueError, RecursionError):
        raise InvalidInput("body", [("", errors.JSON_INVALID)]) from None
    if not isinstance(body, dict):
        raise InvalidInput("body", [("", errors.MISSING if body is None else errors.OBJECT_TYPE)])
    return body


def read_query() -> dict[str, str]:
    """The query's parameters; of duplicates the last counts."""
    query: str = request.environ.get("QUERY_STRING", "")
    return dict(parse_qsl(query, keep_blank_values=True)) if query else {}


def read_path() -> dict[str, str]:
    return request.view_args or {}


class Arguments:
    """Loads a view's arguments with a schema's fields; flask-smorest uses it in place of webargs' parser.

    webargs reads a body that is not declared as JSON as an empty one, and the parsing around the fields costs more
    than the fields themselves.
    """

    DEFAULT_VALIDATION_STATUS = 422
    READ: dict[str, Callable[[], Any]] = {"path": read_path, "query": read_query, "json": read_body}

    def use_args(self, schema: type[Schema], *, location: str) -> Callable[[View], View]:
        read = self.READ[location]
        name = "body" if location == "json" else location
        fields = [(attribute, field.data_key or attribute, field) for attribute, field in schema().fields.items()]

        def load(body_follows: bool) -> dict[str, Any]:
            given = read()
            loaded: dict[str, Any] = {}
            problems: list[tuple[str, Problem]] = []
            for attribute, key, field in fields:
                try:
                    value = field.deserialize(given.get(key, missing), key, given)
                except ValidationError as error:
                    problems.append((key, cast(Problem, error.messages[0])))
                else:
                    if value is not missing:
                        loaded[attribute] = value
            if problems:
                if body_follows:
                    receive_body()  # 415 and 413 come before what is wrong with the path
                raise InvalidInput(name, problems)
            return loaded

        def decorator(documented: View) -> View:
            view: View = documented.__wrapped__  # type: ignore[attr-defined]
            body_follows = getattr(view, "takes_body", False)

            @wraps(documented)
            def wrapper(*args: Any, **path: Any) -> Response:
                if location == "path":
                    return view(*args, **{**path, **load(body_follows)})
                return view(*args, load(body_follows), **path)

            wrapper.takes_body = body_follows or location == "json"  # type: ignore[attr-defined]
            return wrapper

        return decorator
