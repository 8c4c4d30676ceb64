"""The OpenAPI document: the parts that are the same for every operation, and flask-smorest's Api with our errors."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from todo_api.platform.web.headers import Header

BEARER = "bearerAuth"


@dataclass(frozen=True)
class Document:
    """The texts that only the product can know. `errors` and `headers` become components."""

    info: Mapping[str, Any]
    token: str
    errors: Sequence[ErrorAnswer]
    headers: Sequence[Header]


class PathsPlugin(FlaskPlugin):
    def rule_to_params(self, rule: Any) -> list[Any]:
        """None: a path's parameters are documented by the schema that reads them."""
        return []


class SchemasPlugin(MarshmallowPlugin):
    class Converter(OpenAPIConverter):
        def schema2jsonschema(self, schema: Any) -> Any:
            """With the docstring as description, and open to fields that may be added."""
            documented = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
            documented.pop("additionalProperties", None)
            return {"description": inspect.cleandoc(resolve_schema_instance(schema).__doc__ or ""), **documented}

        def field2default(self, field: fields.Field[Any], **kwargs: Any) -> Any:
            """Only the default that the field's metadata states.

            Client generators make a property that has a default required in what is sent, or send it unasked.
            """
            return {name: field.metadata[name] for name in ("default",) if name in field.metadata}


class Api(flask_smorest.Api):
    """flask-smorest's Api; every error is answered in the one shape."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ApiErrorSchema

    def __init__(self, app: Flask, document: Document) -> None:
        app.config["API_TITLE"] = document.info["title"]
        app.config["API_VERSION"] = document.info["version"]
        app.config["OPENAPI_VERSION"] = "3.1.0"
        app.config["API_SPEC_OPTIONS"] = {
            "info": document.info,
            "servers": [{"url": "/", "description": "The server that this document comes from"}],
        }
        super().__init__(app, spec_kwargs={"flask_plugin": PathsPlugin(), "marshmallow_plugin": SchemasPlugin()})
        del self.spec.components.schemas["PaginationMetadata"]  # flask-smorest's own, for numbered pages
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": document.token}
        self.spec.components.security_scheme(BEARER, scheme)
        for header in document.headers:
            self.spec.components.header(header.name, header.documented())
        for error in document.errors:
            self.spec.components.response(error.name, error.documented())
        app.register_error_handler(Unavailable, lambda error: error_response(unavailable()))
        # Debug and test mode would otherwise let a fault through to the server.
        app.config["PROPAGATE_EXCEPTIONS"] = False

    def handle_http_exception(self, error: HTTPException) -> Response:
        return error_response(error)
