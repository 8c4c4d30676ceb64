"""Views do what Flask, flask-smorest, webargs and marshmallow document."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import flask_smorest
import pytest
from flask import Flask, Response, abort, copy_current_request_context, jsonify, make_response, request
from flask.testing import FlaskClient
from flask.views import MethodView
from marshmallow import INCLUDE, RAISE, Schema, fields, pre_load
from webargs.fields import DelimitedList
from werkzeug.exceptions import Conflict, UnprocessableEntity

from tests.support.apps import disposed, make_app
from tests.support.databases import sqlite_url
from tests.support.errors import assert_error, assert_invalid
from todo_api.platform.web.blueprint import Blueprint
from todo_api.platform.web.errors import invalid_input, problem
from todo_api.platform.web.fields import IntegerText


@pytest.fixture
def app(tmp_path: Path) -> Any:
    """An app of the test's own, to which it adds what it is about."""
    with disposed(make_app(sqlite_url(tmp_path))) as app:
        yield app


@pytest.fixture
def api(app: Flask) -> flask_smorest.Api:
    [registered] = app.extensions["flask-smorest"]["apis"].values()
    api: flask_smorest.Api = registered["ext_obj"]
    return api


@pytest.fixture
def blp() -> Blueprint:
    return Blueprint("things", __name__, url_prefix="/things")


def client_of(api: flask_smorest.Api, blp: Blueprint) -> FlaskClient:
    api.register_blueprint(blp)
    return api._app.test_client(use_cookies=False)


def echo(loaded: Any) -> Response:
    """Return what was loaded"""
    return jsonify(loaded)


# Routes and answers


def test_a_redirect_to_a_path_with_a_slash_keeps_the_query(app: Flask) -> None:
    app.add_url_rule("/slash/", view_func=lambda: request.args, endpoint="slash")
    assert app.test_client().get("/slash?x=1&y=%C3%BC", follow_redirects=True).json == {"x": "1", "y": "ü"}


def test_a_header_of_a_views_own_replaces_ours_however_it_is_spelt(app: Flask) -> None:
    app.add_url_rule("/cached", view_func=lambda: ("x", {"cache-control": "public"}), endpoint="cached")
    assert app.test_client().get("/cached").headers.getlist("Cache-Control") == ["public"]


def test_a_request_may_be_used_in_a_thread(app: Flask) -> None:
    def view() -> list[str]:
        with ThreadPoolExecutor(1) as executor:
            return [executor.submit(copy_current_request_context(lambda: request.path)).result()]

    app.add_url_rule("/thread", view_func=view, endpoint="thread")
    assert app.test_client().get("/thread").json == ["/thread"]


@pytest.mark.parametrize("refuse", [abort, lambda status, text: flask_smorest.abort(status, message=text)])
def test_the_text_of_abort_is_the_answers(app: Flask, refuse: Any) -> None:
    app.add_url_rule("/refuse", view_func=lambda: refuse(409, "The title is taken"), endpoint="refuse")
    assert_error(app.test_client().get("/refuse"), 409, "The title is taken")


def test_what_flask_smorests_abort_is_given_besides_is_answered(app: Flask) -> None:
    def refuse() -> None:
        flask_smorest.abort(409, errors={"title": "taken"}, headers={"X-Other": "1"})

    app.add_url_rule("/refuse", view_func=refuse, endpoint="refuse")
    response = app.test_client().get("/refuse")
    assert response.json == {"detail": "Conflict", "status_code": 409, "errors": {"title": "taken"}}
    assert response.headers["X-Other"] == "1"


@pytest.mark.parametrize("refuse", [abort, lambda response: Conflict(response=response)])
def test_an_error_with_a_response_of_its_own_is_answered_by_that(app: Flask, refuse: Any) -> None:
    def view() -> None:
        raise refuse(make_response({"mine": True}, 402))

    app.add_url_rule("/refuse", view_func=view, endpoint="refuse")
    response = app.test_client().get("/refuse")
    assert (response.status_code, response.json) == (402, {"mine": True})


def test_a_handler_for_a_status_or_its_class_gets_the_services_own_errors(app: Flask) -> None:
    app.register_error_handler(401, lambda error: ("who are you?", 401))
    app.register_error_handler(UnprocessableEntity, lambda error: (error.data["errors"], 422))

    @app.get("/invalid")
    def invalid() -> None:
        raise invalid_input("query", [("x", problem("missing"))])

    client = app.test_client()
    assert client.get("/invalid").json == [{"field": "query.x", "message": "Field required", "type": "missing"}]
    assert client.get("/api/alice/tasks").text == "who are you?"


def test_flask_smorests_own_blueprint_is_refused(api: flask_smorest.Api) -> None:
    with pytest.raises(TypeError, match="flask-smorest's own Blueprint"):
        api.register_blueprint(flask_smorest.Blueprint("other", __name__))


def test_a_view_that_is_a_class_is_refused(blp: Blueprint) -> None:
    class Things(MethodView):
        def get(self) -> str:
            return "never"

    with pytest.raises(TypeError, match="Things is a class"):
        blp.route("")(Things)


# Input


@pytest.mark.parametrize("location", ["query", "json"])
def test_meta_unknown_counts_and_is_documented(api: flask_smorest.Api, blp: Blueprint, location: str) -> None:
    class Strict(Schema):
        """A schema that takes nothing else."""

        class Meta:
            unknown = RAISE

        number = fields.Integer()

    class Loose(Strict):
        """A schema that takes anything."""

        class Meta:
            unknown = INCLUDE

    options: dict[str, Any] = {"examples": {}} if location == "json" else {}
    for rule, schema in (("/strict", Strict), ("/loose", Loose)):
        blp.route(rule, methods=["POST"], endpoint=rule[1:])(blp.arguments(schema, location=location, **options)(echo))
    client = client_of(api, blp)
    where = {"json": "body"}.get(location, location)
    sent: dict[str, Any] = {"json" if location == "json" else "query_string": {"number": 1, "other": "x"}}
    assert_invalid(client.post("/things/strict", **sent), (f"{where}.other", "value_error"))
    assert client.post("/things/loose", **sent).json == {"number": 1, "other": "x"}
    if location == "json":
        schemas = api.spec.to_dict()["components"]["schemas"]
        assert [schemas[name]["additionalProperties"] for name in ("Strict", "Loose")] == [False, True]


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("headers", {"headers": {"number": "{}"}}),
        ("cookies", {"headers": {"Cookie": "number={}"}}),
        ("form", {"data": {"number": "{}"}}),
        ("querystring", {"query_string": {"number": "{}"}}),
    ],
)
def test_input_may_come_from_elsewhere(api: flask_smorest.Api, blp: Blueprint, location: str, sent: Any) -> None:
    class Numbered(Schema):
        """A number."""

        number = fields.Integer()

    def sending(number: str) -> dict[str, Any]:
        return {key: {name: text.format(number) for name, text in texts.items()} for key, texts in sent.items()}

    blp.route("", methods=["POST"])(blp.arguments(Numbered, location=location)(echo))
    client = client_of(api, blp)
    assert client.post("/things", **sending("5")).json == {"number": 5}
    where = "query" if location == "querystring" else location
    assert_invalid(client.post("/things", **sending("x")), (f"{where}.number", "value_error"))


def test_fields_that_take_several_values_take_them_in_their_own_ways(api: flask_smorest.Api, blp: Blueprint) -> None:
    class Several(Schema):
        """Fields of several values."""

        ids = DelimitedList(fields.Integer())
        pair = fields.Tuple((fields.Integer(), fields.Integer()))
        last = fields.Integer()

    blp.route("", methods=["GET"])(blp.arguments(Several, location="query")(echo))
    response = client_of(api, blp).get("/things?ids=1,2&pair=3&pair=4&last=5&last=6")
    assert response.json == {"ids": [1, 2], "pair": [3, 4], "last": 6}


def test_what_a_schemas_hook_keeps_is_gone_with_the_request(api: flask_smorest.Api, blp: Blueprint) -> None:
    class Keeping(Schema):
        """A schema that keeps what was sent."""

        kept: str | None = None
        name = fields.String()

        @pre_load
        def keep(self, data: Any, **kwargs: Any) -> Any:
            before, self.kept = self.kept, data["name"]
            return {"name": f"{before} {self.kept}"}

    blp.route("", methods=["POST"])(blp.arguments(Keeping, examples={})(echo))
    client = client_of(api, blp)
    assert [client.post("/things", json={"name": name}).json["name"] for name in "ab"] == ["None a", "None b"]


def test_an_error_message_may_be_an_object(api: flask_smorest.Api, blp: Blueprint) -> None:
    class City(Schema):
        """A city, as in marshmallow's quickstart."""

        city = fields.String(required=True, error_messages={"required": {"message": "City required", "code": 400}})

    blp.route("", methods=["POST"])(blp.arguments(City, examples={})(echo))
    response = client_of(api, blp).post("/things", json={})
    assert_invalid(response, ("body.city.message", "value_error"), ("body.city.code", "value_error"))
    assert [error["message"] for error in response.json["errors"]] == ["City required", "400"]


class Named(Schema):
    """A name."""

    name = fields.String()


def test_a_body_that_was_loaded_can_be_read_again(api: flask_smorest.Api, blp: Blueprint) -> None:
    @blp.route("", methods=["POST"])
    @blp.arguments(Named, examples={})
    def again(loaded: Any) -> Any:
        """Return the body"""
        return [loaded, request.get_json(), request.get_data(as_text=True)]

    sent = {"name": "x", "other": 1}
    assert client_of(api, blp).post("/things", json=sent).json == [{"name": "x"}, sent, '{"name": "x", "other": 1}']


def test_an_integer_in_a_path_may_have_been_converted_already(api: flask_smorest.Api, blp: Blueprint) -> None:
    class ThingPath(Schema):
        """The path."""

        number = IntegerText(required=True)

    blp.route("/<int:number>", methods=["GET"])(blp.arguments(ThingPath, location="path")(lambda number: [number]))
    assert client_of(api, blp).get("/things/12").json == [12]


def test_numbered_pages_are_documented_and_their_errors_have_the_one_shape(
    api: flask_smorest.Api, blp: Blueprint
) -> None:
    @blp.route("", methods=["GET"])
    @blp.response(200, Named(many=True))
    @blp.paginate()
    def page(pagination_parameters: Any) -> Any:
        """A page"""
        pagination_parameters.item_count = 1
        return [{"name": "x"}]

    client = client_of(api, blp)
    assert client.get("/things").json == [{"name": "x"}]
    assert_invalid(client.get("/things?page=0"), ("query.page", "value_error"))
    components = api.spec.to_dict()["components"]
    assert components["headers"]["PAGINATION"]["schema"] == {"type": "string"}
    content = components["responses"][HTTPStatus.UNPROCESSABLE_ENTITY.name]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/ValidationError"}
