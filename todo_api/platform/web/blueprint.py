"""A blueprint whose operations document themselves whole: name, security, each answer and its examples."""

from collections.abc import Callable, Sequence
from typing import Any

import flask_smorest
from marshmallow import Schema, ValidationError

from todo_api.platform.logs import REQUEST_ID_HEADER
from todo_api.platform.web.answers import ERRORS, examples, invalid
from todo_api.platform.web.arguments import Arguments, View
from todo_api.platform.web.errors import JSON_INVALID, InvalidInput
from todo_api.platform.web.openapi import SECURITY

Decorator = Callable[[View], View]


def documenting(decorate: Decorator) -> Decorator:
    """Of a flask-smorest decorator the documentation alone: our views return responses, so its wrapper does nothing."""

    def decorator(view: View) -> View:
        view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]
        return view

    return decorator


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint; an operation's id is its function's name, its texts are the docstring's.

    `parameters` describes those in the prefix; `errors` are what all of its operations may answer.
    """

    ARGUMENTS_PARSER = Arguments()

    def __init__(
        self,
        *args: Any,
        parameters: Sequence[dict[str, Any]] = (),
        errors: tuple[int, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._parameters = list(parameters)
        self._errors = errors
        self._prepare_doc_cbks.append(self._document_operation)

    def route(self, rule: str, **options: Any) -> Decorator:
        decorator: Decorator = super().route(rule, **options)
        return decorator

    def arguments(self, schema: type[Any], *, location: str = "json", **kwargs: Any) -> Decorator:
        """Load the view's next argument; `EXAMPLES` and `MISTAKES` of the schema are documented with it."""
        if location == "json":
            kwargs["examples"] = examples(schema.EXAMPLES)
        decorator: Decorator = super().arguments(schema, location=location, **kwargs)
        return decorator

    def response(
        self,
        status: int,
        schema: Schema | type[Schema] | None = None,
        *,
        headers: Sequence[str] = (),
        links: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Decorator:
        """Document what is answered; `headers` by their names, `links` are OpenAPI's."""
        named = {name: name for name in (*headers, REQUEST_ID_HEADER)}
        decorate = super().response(status, schema, headers=named, **kwargs)

        def decorator(view: View) -> View:
            documenting(decorate)(view)
            if links:
                view._apidoc["response"]["responses"][status][-1]["links"] = links  # type: ignore[attr-defined]
            return view

        return decorator

    def errors(self, *statuses: int) -> Decorator:
        """Document errors that only some of the blueprint's operations answer."""

        def decorator(view: View) -> View:
            view._apidoc = {**getattr(view, "_apidoc", {}), "errors": statuses}  # type: ignore[attr-defined]
            return view

        return decorator

    def register_views_in_doc(self, *args: Any, parameters: Any = None, **kwargs: Any) -> None:
        super().register_views_in_doc(*args, parameters=self._parameters, **kwargs)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        obj._apidoc = {"manual_doc": {}, **getattr(obj, "_apidoc", {})}
        obj._apidoc["manual_doc"].setdefault("operationId", obj.__name__)
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)

    def _document_operation(self, doc: dict[str, Any], doc_info: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The callback that runs last: adds to an operation what follows from the rest."""
        statuses = {400, *self._errors, *doc_info.get("errors", ())}
        doc["security"] = [SECURITY] if 401 in statuses else []
        if "requestBody" in doc:
            statuses |= {413, 415}
        responses = {**{status: ERRORS[status].name for status in statuses}, **doc["responses"]}
        if 422 in responses:
            responses[422] = self._document_mistakes(doc)
        doc["responses"] = dict(sorted(responses.items()))
        return doc

    @staticmethod
    def _document_mistakes(doc: dict[str, Any]) -> dict[str, Any]:
        """What is answered to each schema's mistakes, by the code that answers it."""
        schemas = [(part["in"], part["schema"]) for part in doc.get("parameters", ())]
        errors = {}
        if "requestBody" in doc:
            schemas.append(("body", doc["requestBody"]["content"]["application/json"]["schema"]))
            errors["The body is not JSON"] = InvalidInput("body", [("", JSON_INVALID)])
        for location, schema in schemas:
            for summary, value in schema.MISTAKES.items():
                try:
                    schema().load(value)
                except ValidationError as error:
                    found: Any = error.messages
                    problems = [(name, found[name][0]) for name in schema.names() if name in found]
                    errors[summary] = InvalidInput(location, problems)
        return invalid(errors)
