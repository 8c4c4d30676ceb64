"""The OpenAPI document, its texts, and Swagger UI, served by the app itself: nothing is loaded from another host."""

import gzip
import hashlib
import mimetypes
from functools import cache, partial
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Flask, Response, abort, json, render_template, request

from todo_api import __version__
from todo_api.platform.waiting import run_in_thread
from todo_api.platform.web.arguments import JSON
from todo_api.platform.web.openapi import Api

TITLE = "Todo API"
INFO = {
    "title": TITLE,
    "version": __version__,
    "summary": "A small, strict API for to-do lists.",
    "description": Path(__file__).with_name("guide.md").read_text("utf-8"),
    "contact": {"name": "The maintainers of the Todo API"},
    "license": {"name": "MIT", "identifier": "MIT"},
}
TOKEN_DESCRIPTION = "A token of your identity provider; its subject is the `user_id` in the path."
PAGE_FILES = Path(__file__).with_name("docs")
SWAGGER_UI = Path(flask_swagger_ui.__file__).with_name("dist")
ASSETS = {name: SWAGGER_UI / name for name in ("swagger-ui.css", "swagger-ui-bundle.js")}
ASSETS |= {name: PAGE_FILES / name for name in ("docs.css", "docs.js", "icon.svg")}
# Swagger UI's icons are data: URLs; scripts and styles come only from this host.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
YEAR_SECONDS = 365 * 24 * 60 * 60

pages = Blueprint("pages", __name__, template_folder=str(PAGE_FILES))


@cache
def assets_version() -> str:
    """A digest of the assets, so that their URLs change when they do."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in ASSETS.values())).hexdigest()[:16]


@cache
def gzipped(name: str) -> bytes:
    return gzip.compress(ASSETS[name].read_bytes(), mtime=0)


def revalidated(response: Response) -> Response:
    """Let clients cache a response, and ask each time whether it has changed."""
    response.add_etag()
    response.cache_control.no_cache = True
    response.make_conditional(request)
    return response


@pages.get("/docs", strict_slashes=False)
def docs() -> Response:
    page = render_template("docs.html", title=TITLE, assets=assets_version())
    response = revalidated(Response(page, mimetype="text/html"))
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


@pages.get("/docs/assets/<version>/<name>")
def asset(version: str, name: str) -> Response:
    if version != assets_version() or name not in ASSETS:
        abort(404)
    headers = {"Cache-Control": f"public, max-age={YEAR_SECONDS}, immutable", "Vary": "Accept-Encoding"}
    if request.accept_encodings.quality("gzip"):
        headers["Content-Encoding"] = "gzip"
        body = run_in_thread(partial(gzipped, name))  # slow the first time
    else:
        body = ASSETS[name].read_bytes()
    return Response(body, mimetype=mimetypes.guess_type(name)[0], headers=headers)


def init_app(app: Flask, api: Api) -> None:
    """Serve the API's document, made on the first request for it, and the page that shows it."""

    @cache
    def document() -> bytes:
        """As `flask openapi print` prints it."""
        return json.dumps(api.spec.to_dict(), indent=2, sort_keys=False).encode() + b"\n"

    app.add_url_rule("/openapi.json", "openapi", lambda: revalidated(Response(document(), mimetype=JSON)))
    app.register_blueprint(pages)
