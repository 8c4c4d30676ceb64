"""Input: path, query and body, each loaded with a schema; errors use the error vocabulary."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from flask import Request, current_app
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy

from todo_api.platform.web.errors import Problem, api_error, invalid_input, problem

JSON = "application/json"
# Names of locations in errors, where they are others than webargs'.
LOCATIONS = {"querystring": "query", "json": "body"}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_json = json.JSONDecoder(parse_constant=_refuse_constant)


class ArgumentsParser(FlaskParser):
    """webargs' parser with the API's rules: 415 and 413 for bodies, the last of duplicate parameters, our errors."""

    def use_args(self, argmap: Any, *args: Any, **options: Any) -> Any:
        """For each request a copy of the schema, whose hooks may keep something in `self`; a new one would be slow."""

        def fresh(request: Request) -> Schema:
            schema: Schema = object.__new__(type(argmap))
            vars(schema).update(vars(argmap))
            return schema

        return super().use_args(fresh, *args, **options)

    def load_querystring(self, req: Request, schema: Schema) -> Mapping[str, Any]:
        """The last of duplicate parameters; all of them for a field that takes several."""
        repeated = MultiDictProxy(req.args, schema).multiple_keys
        return {name: values if name in repeated else values[-1] for name, values in req.args.lists()}

    def load_json(self, req: Request, schema: Schema) -> dict[str, Any]:
        """The body's JSON object. Raises HTTPException 415, 413 or 422."""
        received = read_body(req)
        if not received:
            raise invalid_input("body", [("", problem("missing"))])
        try:
            # ValueError: also an integer past Python's limit of digits. RecursionError: nesting past its stack.
            body = _json.decode(received.decode())
        except (ValueError, RecursionError):
            raise invalid_input("body", [("", problem("json_invalid"))]) from None
        if not isinstance(body, dict):
            raise invalid_input("body", [("", problem("missing" if body is None else "model_attributes_type"))])
        return body

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **options: Any) -> NoReturn:
        [(location, messages)] = error.messages_dict.items()
        view: Any = current_app.view_functions[req.endpoint or ""]
        if location == "path" and hasattr(view, "json_schema"):
            read_body(req)  # 415 and 413 come before errors in the path
        raise invalid_input(LOCATIONS.get(location, location), problems_in(messages))


def read_body(req: Request) -> bytes:
    """The body, which may be empty. Raises HTTPException 415 or 413."""
    length = req.content_length
    if not length and "Transfer-Encoding" not in req.headers:
        return b""
    if req.mimetype != JSON or "Content-Encoding" in req.headers:
        raise api_error(415)
    received = req.get_data()
    if length is None:
        req.stream.read(1)  # a chunked body is cut off at the limit: one more byte raises 413
    return received


def problems_in(messages: Any, name: str = "") -> Iterator[tuple[str, Problem]]:
    """A schema's error messages, which come in its order, as one problem a field; elements of a list are `name.0`."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from problems_in(inner, name if key == "_schema" else f"{name}.{key}" if name else str(key))
    else:
        first = messages[0] if isinstance(messages, list) else messages
        # A text is marshmallow's own, or from a validator that does not use the vocabulary.
        yield name, first if isinstance(first, Problem) else Problem("value_error", str(first))
