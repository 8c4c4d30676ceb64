"""flask-smorest's blueprint, with every answer of an operation documented."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flask_smorest
from marshmallow import EXCLUDE, Schema

from todo_api.platform.web.arguments import ArgumentsParser
from todo_api.platform.web.openapi import (
    BAD_REQUEST,
    CONTENT_TOO_LARGE,
    UNSUPPORTED_TYPE,
    ErrorAnswer,
    ValidationErrorSchema,
    described,
    examples,
)

View = Callable[..., Any]
Decorator = Callable[[View], View]


class Blueprint(flask_smorest.Blueprint):
    """An operation's id is its function's name, its texts are the docstring's: first line the summary.

    `answers` and `errors` document views that return a Flask response; flask-smorest's `response` also dumps.
    """

    ARGUMENTS_PARSER = PAGINATION_ARGUMENTS_PARSER = ArgumentsParser()
    # Errors that every operation of the blueprint may answer, and OpenAPI's `security` of each.
    ERRORS: Sequence[ErrorAnswer] = (BAD_REQUEST,)
    SECURITY: Sequence[Mapping[str, Sequence[str]]] = ()

    def route(self, rule: str, **options: Any) -> Decorator:
        register = super().route(rule, **options)

        def decorator(view: View) -> View:
            if isinstance(view, type):
                raise TypeError(f"{view.__name__} is a class: write a function for each of its methods")
            body_errors = (CONTENT_TOO_LARGE, UNSUPPORTED_TYPE) if hasattr(view, "json_schema") else ()
            responses = {error.status: error.name for error in (*self.ERRORS, *body_errors)}
            responses |= getattr(view, "documented", {})
            document = {"operationId": view.__name__, "security": list(self.SECURITY), "responses": responses}
            if hasattr(view, "request_headers"):  # with the path's, which they would otherwise replace
                document["parameters"] = [{"in": "path", "schema": view.path_schema}, *view.request_headers]  # type: ignore[attr-defined]
            registered: View = register(self.doc(**document)(view))
            return registered

        return decorator

    def arguments(self, schema: type[Schema], *, location: str = "json", **options: Any) -> Decorator:
        """Load the view's next argument; values from the path replace the path's texts.

        Unknown fields are ignored, unless the schema's `Meta.unknown` says otherwise.
        """
        options.setdefault("unknown", getattr(schema.Meta, "unknown", EXCLUDE))
        if location == "json":
            options["examples"] = examples(options["examples"])
        load = super().arguments(schema(), location=location, as_kwargs=location == "path", **options)
        return lambda view: _marked(load(view), **{f"{location}_schema": schema})

    def reads(self, *headers: Mapping[str, Any]) -> Decorator:
        """Document request headers that the operation reads by itself: OpenAPI's parameters."""
        return lambda view: _marked(view, request_headers=headers)

    def answers(self, status: int, description: str, schema: Any = None, **options: Any) -> Decorator:
        """Document an answer, with an `example`, `headers` (by their names) and OpenAPI's `links` if given."""
        answer = {status: described(description, schema, **options)}
        return lambda view: _marked(view, documented=getattr(view, "documented", {}) | answer)

    def errors(self, *shared: ErrorAnswer, invalid: Mapping[str, Any]) -> Decorator:
        """Document the errors that an operation may answer: shared ones, and 422 with examples by summary."""
        text = "Something in the path, the query or the body is not valid."
        invalid_answer = described(text, ValidationErrorSchema, examples=examples(invalid))
        answers = {error.status: error.name for error in shared} | {422: invalid_answer}
        return lambda view: _marked(view, documented=getattr(view, "documented", {}) | answers)


def _marked(view: View, **attributes: Any) -> View:
    """The view with attributes, which outer decorators copy and `route` reads."""
    vars(view).update(attributes)
    return view
