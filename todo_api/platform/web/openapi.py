"""The OpenAPI document's parts that all operations share, and flask-smorest's Api with our errors."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_instance
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask, Response
from flask_smorest.spec.plugins import FlaskPlugin
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from todo_api.platform.db.availability import Unavailable
from todo_api.platform.web.components import ApiErrorSchema, ErrorAnswer
from todo_api.platform.web.errors import error_response, unavailable
from todo_api.platform.web.fields import OneOf

BEARER = "bearerAuth"


class PathsPlugin(FlaskPlugin):
    def rule_to_params(self, rule: Any) -> list[Any]:
        """None: a path's parameters are documented by the schema that reads them."""
        return []


class SchemasPlugin(MarshmallowPlugin):
    class Converter(OpenAPIConverter):
        def schema2jsonschema(self, schema: Any) -> Any:
            """Describes a schema by its docstring, and leaves it open to fields that may be added."""
            documented = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
            documented.pop("additionalProperties", None)
            return {"description": inspect.cleandoc(resolve_schema_instance(schema).__doc__ or ""), **documented}

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
        del components.schemas["PaginationMetadata"]  # flask-smorest's own, for numbered pages
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": token}
        components.security_scheme(BEARER, scheme)
        for name, header in headers.items():
            components.header(name, header)
        for error in errors:
            components.response(error.name, error.documented())
        app.register_error_handler(Unavailable, lambda error: error_response(unavailable()))

    def handle_http_exception(self, error: HTTPException) -> Response:
        return error_response(error)
