"""Our Api and Blueprint over flask-smorest: input in the error vocabulary, one error shape, every status documented."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import parse_qsl

import flask_smorest
from flask import Flask, Response, request
from marshmallow import Schema, ValidationError, fields, missing
from werkzeug.exceptions import HTTPException

from todo_api import __version__, errors
from todo_api.db import Unavailable
from todo_api.errors import ApiError, InvalidInput, Problem

View = Callable[..., Response]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_json = json.JSONDecoder(parse_constant=_no_constant)


def read_body() -> Any:
    """The body's JSON object. Raises ApiError 415 or 413, or InvalidInput."""
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        raise InvalidInput("body", [("", errors.MISSING)])
    if request.mimetype != "application/json" or "Content-Encoding" in request.headers:
        raise ApiError(415)
    try:
        # Also past reason: nesting that exhausts the stack, and integers past Python's limit of digits.
        body = _json.decode(request.get_data(cache=False).decode())
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

        def load() -> dict[str, Any]:
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
                raise InvalidInput(name, problems)
            return loaded

        def decorator(documented: View) -> View:
            view: View = documented.__wrapped__  # type: ignore[attr-defined]

            @wraps(documented)
            def wrapper(*args: Any, **path: Any) -> Response:
                if location == "path":
                    return view(*args, **{**path, **load()})
                return view(*args, load(), **path)

            return wrapper

        return decorator


def documenting(decorate: Callable[[View], View]) -> Callable[[View], View]:
    """Of a flask-smorest decorator the documentation alone: our views return responses, so its wrapper does nothing."""

    def decorator(view: View) -> View:
        view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]
        return view

    return decorator


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose operations carry their function's name as operationId and document every error they answer."""

    ARGUMENTS_PARSER = Arguments()

    def __init__(self, *args: Any, errors: tuple[int, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._errors = errors
        self._prepare_doc_cbks.append(self._document_errors)

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().route(rule, **options)
        return decorator

    def arguments(self, schema: type[Schema], *, location: str = "json", **kwargs: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().arguments(schema, location=location, **kwargs)
        return decorator

    def response(self, *args: Any, **kwargs: Any) -> Callable[[View], View]:
        return documenting(super().response(*args, **kwargs))

    def alt_response(self, *args: Any, **kwargs: Any) -> Callable[[View], View]:
        return documenting(super().alt_response(*args, **kwargs))

    @staticmethod
    def doc(**kwargs: Any) -> Callable[[View], View]:
        return documenting(flask_smorest.Blueprint.doc(**kwargs))

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        obj._apidoc = {"manual_doc": {}, **getattr(obj, "_apidoc", {})}
        obj._apidoc["manual_doc"].setdefault("operationId", obj.__name__)
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)

    def _document_errors(self, doc: dict[str, Any], doc_info: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        responses = doc.setdefault("responses", {})
        statuses = {*self._errors}
        if "requestBody" in doc:
            statuses |= {400, 413, 415}
        for status in statuses:
            responses.setdefault(status, f"Error{status}")
        if 422 in responses:
            responses[422] = "Error422"
        doc["responses"] = dict(sorted(responses.items(), key=lambda item: str(item[0])))
        return doc


class ErrorSchema(Schema):
    """Any error but a failed validation."""

    detail = fields.String(required=True)
    status_code = fields.Integer(required=True)


class ProblemSchema(Schema):
    field = fields.String(required=True, metadata={"examples": ["body.title"]})
    message = fields.String(required=True)
    type = fields.String(required=True)


class ValidationErrorSchema(Schema):
    """A failed validation: every problem of one location."""

    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemSchema), required=True)


def json_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, mimetype="application/json")


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


class Api(flask_smorest.Api):
    """flask-smorest's Api with our errors, documented and answered."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        self._app.register_error_handler(HTTPException, errors.json_error)
        self._app.register_error_handler(Unavailable, lambda error: errors.json_error(errors.unavailable()))

    def _register_responses(self) -> None:
        for status, detail in {401: "Not authenticated", 403: "Access denied", **errors.DETAILS, 422: ""}.items():
            schema = ValidationErrorSchema if status == 422 else ErrorSchema
            example: dict[str, Any] = {"detail": detail, "status_code": status}
            if status == 422:
                problem = errors.too_short(1)
                example = {
                    "detail": "Validation error",
                    "errors": [{"field": "body.title", "message": problem.message, "type": problem.type}],
                }
            content = {"application/json": {"schema": schema, "example": example}}
            response = {"description": detail or "Validation error", "content": content}
            self.spec.components.response(f"Error{status}", response, lazy=True)


def init_app(app: Flask) -> Api:
    app.config.update(
        API_TITLE="Todo API",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_SWAGGER_UI_PATH="/docs",
        OPENAPI_SWAGGER_UI_URL="/docs/assets/",
        API_SPEC_OPTIONS={
            "info": {"description": "Tasks of a signed-in user.", "license": {"name": "MIT", "identifier": "MIT"}},
            "servers": [{"url": "/"}],
            "components": {
                "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            },
        },
    )
    return Api(app)
