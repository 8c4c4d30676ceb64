"""The OpenAPI document: what is the same for every operation, and the Api that gathers what the blueprints say."""

import inspect
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import apispec
import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_instance
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask_smorest.spec import openapi_cli
from flask_smorest.spec.plugins import FlaskPlugin
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from todo_api import __version__
from todo_api.platform.db.engine import Unavailable
from todo_api.platform.web import errors
from todo_api.platform.web.answers import ERRORS, HEADERS, ApiErrorSchema, answered

TITLE = "Todo API"
GUIDE = Path(__file__).parent.parent.parent / "service" / "guide.md"
SECURITY: dict[str, list[str]] = {"bearerAuth": []}
OPERATION = ("operationId", "summary", "description", "tags", "security", "parameters", "requestBody", "responses")


def in_order(found: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


class Document(apispec.APISpec):
    def to_dict(self) -> dict[str, Any]:
        """In the order in which people read it."""
        found = super().to_dict()
        for path in found["paths"].values():
            for method in path.keys() - {"parameters"}:
                path[method] = in_order(path[method], OPERATION)
        return in_order(found, ("openapi", "info", "servers", "tags", "paths", "components"))


class Paths(FlaskPlugin):
    def rule_to_params(self, rule: Any) -> list[Any]:
        """None: a path's parameters are documented by whoever reads them."""
        return []


class Schemas(MarshmallowPlugin):
    class Converter(OpenAPIConverter):
        def schema2jsonschema(self, schema: Any) -> Any:
            """With the docstring as description, and open to fields that may be added."""
            documented = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
            documented.pop("additionalProperties", None)
            return {"description": inspect.cleandoc(resolve_schema_instance(schema).__doc__ or ""), **documented}

        def field2default(self, field: fields.Field[Any], **kwargs: Any) -> Any:
            """Only what the field's metadata states.

            Client generators make a property that has a default required in what is sent, or send it unasked.
            """
            return {name: field.metadata[name] for name in ("default",) if name in field.metadata}


class Api(flask_smorest.Api):
    """flask-smorest's Api with our errors, documented and answered."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _init_spec(self, **kwargs: Any) -> None:
        # In place of flask-smorest's, which registers what we never use, and texts that Python's versions word
        # differently.
        self.flask_plugin, self.ma_plugin = Paths(), Schemas()
        self.spec = Document(
            TITLE,
            __version__,
            "3.1.0",
            [self.flask_plugin, self.ma_plugin],
            info={
                "title": TITLE,
                "version": __version__,
                "summary": "A small, strict API for to-do lists.",
                "description": Path(__file__)
                .parent.parent.with_name("service")
                .joinpath("guide.md")
                .read_text("utf-8"),
                "contact": {"name": "The maintainers of the Todo API"},
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            servers=[{"url": "/", "description": "The server that this document comes from"}],
        )
        self.spec.components.security_scheme(
            "bearerAuth",
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A token of your identity provider; its subject is the `user_id` in the path.",
            },
        )
        for name, header in HEADERS.items():
            self.spec.components.header(name, header)
        for status, error in ERRORS.items():
            details = error.details or {errors.DETAILS[status]: errors.DETAILS[status]}
            values = {summary: {"detail": detail, "status_code": status} for summary, detail in details.items()}
            self.spec.components.response(
                error.name, answered(ApiErrorSchema, error.description, values, error.headers)
            )
        self._app.cli.add_command(openapi_cli)

    def _register_doc_blueprint(self) -> None:
        """Ours are in `pages`."""

    def _register_error_handlers(self) -> None:
        self._app.register_error_handler(HTTPException, errors.json_error)
        self._app.register_error_handler(Unavailable, lambda error: errors.json_error(errors.unavailable()))

    @cached_property
    def document(self) -> bytes:
        """As `flask openapi print` prints it; complete once every blueprint is registered."""
        return json.dumps(self.spec.to_dict(), indent=2).encode() + b"\n"
