"""The OpenAPI document's parts that all operations share: schemas of errors, shared answers, flask-smorest's Api."""

import inspect
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_instance
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask, Response
from flask_smorest.spec.plugins import FlaskPlugin
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from todo_api.platform.db.availability import Unavailable
from todo_api.platform.logs import REQUEST_ID_HEADER
from todo_api.platform.web.arguments import JSON, ArgumentsParser
from todo_api.platform.web.errors import MESSAGES, error_response, reason, unavailable
from todo_api.platform.web.fields import OneOf
from todo_api.platform.web.headers import RETRY_AFTER

BEARER = "bearerAuth"


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


class PathsPlugin(FlaskPlugin):
    def rule_to_params(self, rule: Any) -> list[Any]:
        """None: a path's parameters are documented by the schema that reads them."""
        return []


class SchemasPlugin(MarshmallowPlugin):
    class Converter(OpenAPIConverter):
        def schema2jsonschema(self, schema: Any) -> Any:
            """Describes a schema by its docstring, and leaves it open to fields that may be added."""
            documented = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
            instance = resolve_schema_instance(schema)
            if not hasattr(instance.Meta, "unknown"):
                documented.pop("additionalProperties", None)
            return {"description": inspect.cleandoc(instance.__doc__ or ""), **documented}

        def field2default(self, field: fields.Field[Any], **kwargs: Any) -> Any:
            """Only a default in the metadata: generated clients would require others, or send them unasked."""
            return {name: field.metadata[name] for name in ("default",) if name in field.metadata}


def _one_of(converter: Any, field: fields.Field[Any], **kwargs: Any) -> dict[str, Any]:
    """Document OneOf; apispec calls this for each field."""
    if not isinstance(field, OneOf):
        return {}
    schemas = [converter.resolve_nested_schema(schema) for schema in field.schemas]
    if field.allow_none:
        schemas.append({"type": "null"})
    return {"oneOf": schemas} if len(schemas) > 1 else dict(schemas[0])


class Api(flask_smorest.Api):
    """flask-smorest's Api; every error is answered in the one shape."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ApiErrorSchema

    def __init__(
        self, app: Flask, info: Mapping[str, Any], token: str, errors: Sequence[ErrorAnswer], headers: Mapping[str, Any]
    ) -> None:
        """`info` is OpenAPI's, `token` describes the bearer token; `errors` and `headers` become components."""
        app.config["API_TITLE"], app.config["API_VERSION"] = info["title"], info["version"]
        app.config["OPENAPI_VERSION"] = "3.1.0"
        servers = [{"url": "/", "description": "The server that this document comes from"}]
        app.config["API_SPEC_OPTIONS"] = {"info": info, "servers": servers}
        # Debug and test mode would otherwise pass exceptions on to the server.
        app.config["PROPAGATE_EXCEPTIONS"] = False
        super().__init__(app, spec_kwargs={"flask_plugin": PathsPlugin(), "marshmallow_plugin": SchemasPlugin()})
        self.ma_plugin.converter.add_attribute_function(_one_of)
        components = self.spec.components
        # flask-smorest's own, for numbered pages: its schema would be in the document though nothing uses it.
        del components.schemas["PaginationMetadata"]
        pagination = {"description": "The page's place, as JSON.", "schema": {"type": "string"}}
        components.header("PAGINATION", pagination, lazy=True)
        unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY.name  # which depends on Python's version
        components.response(unprocessable, described("Not valid.", ValidationErrorSchema), lazy=True)
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": token}
        components.security_scheme(BEARER, scheme)
        for name, header in headers.items():
            components.header(name, header)
        for error in errors:
            components.response(error.name, error.documented())
        app.register_error_handler(Unavailable, lambda error: error_response(unavailable()))

    def register_blueprint(self, blp: Any, **options: Any) -> None:
        if not isinstance(blp.ARGUMENTS_PARSER, ArgumentsParser):
            raise TypeError(f"{blp.name} is flask-smorest's own Blueprint: use the one of platform/web/blueprint.py")
        super().register_blueprint(blp, **options)

    def handle_http_exception(self, error: HTTPException) -> Response:
        return error_response(error)
