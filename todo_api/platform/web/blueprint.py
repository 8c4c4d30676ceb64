"""flask-smorest's blueprint, with every answer of an operation documented."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flask_smorest
from marshmallow import Schema

from todo_api.platform.web.arguments import ArgumentsParser
from todo_api.platform.web.components import (
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

    ARGUMENTS_PARSER = ArgumentsParser()
    # What every operation of the blueprint may answer, and OpenAPI's `security` of each.
    ERRORS: Sequence[ErrorAnswer] = (BAD_REQUEST,)
    SECURITY: Sequence[Mapping[str, Sequence[str]]] = ()

    def route(self, rule: str, **options: Any) -> Decorator:
        register = super().route(rule, **options)

        def decorator(view: View) -> View:
            body_errors = (CONTENT_TOO_LARGE, UNSUPPORTED_TYPE) if hasattr(view, "reads_body") else ()
            responses = {error.status: error.name for error in (*self.ERRORS, *body_errors)}
            responses |= getattr(view, "documented", {})
            document = self.doc(operationId=view.__name__, security=list(self.SECURITY), responses=responses)
            registered: View = register(document(view))
            return registered

        return decorator

    def arguments(self, schema: type[Schema], *, location: str = "json", **options: Any) -> Decorator:
        """Load the view's next argument; values from the path take the place of the path's texts."""
        if location == "json":
            options["examples"] = examples(options["examples"])
        # An instance, since webargs would make one for each request.
        decorator: Decorator = super().arguments(schema(), location=location, as_kwargs=location == "path", **options)
        return decorator

    def answers(self, status: int, description: str, schema: Any = None, **options: Any) -> Decorator:
        """Document an answer; `example`, `headers` (by their names) and OpenAPI's `links` as they are needed."""
        return _documenting({status: described(description, schema, **options)})

    def errors(self, *shared: ErrorAnswer, invalid: Mapping[str, Any]) -> Decorator:
        """Document what else an operation may answer: errors that it shares, and 422 with examples by summaries."""
        text = "Something in the path, the query or the body is not valid."
        invalid_answer = described(text, ValidationErrorSchema, examples=examples(invalid))
        return _documenting({error.status: error.name for error in shared} | {422: invalid_answer})

    @staticmethod
    def doc(**texts: Any) -> Decorator:
        decorator: Decorator = flask_smorest.Blueprint.doc(**texts)
        return decorator


def _documenting(answers: dict[int, Any]) -> Decorator:
    def decorator(view: View) -> View:
        # On the function itself: decorators around it copy its attributes, and `route` reads them.
        view.documented = getattr(view, "documented", {}) | answers  # type: ignore[attr-defined]
        return view

    return decorator
