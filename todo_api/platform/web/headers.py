"""The API's headers: names, texts for the document, and those that pages of other origins may send and read."""

import re
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, request
from flask_cors import CORS

from todo_api.platform.logs import REQUEST_ID, REQUEST_ID_HEADER
from todo_api.platform.web.errors import RETRY_AFTER_SECONDS

ETAG, LINK, LOCATION, RETRY_AFTER = "ETag", "Link", "Location", "Retry-After"
WWW_AUTHENTICATE = "WWW-Authenticate"

# In answers, as OpenAPI describes them; pages of allowed origins may read these.
HEADERS: dict[str, dict[str, Any]] = {
    REQUEST_ID_HEADER: {
        "description": "Names this request in the server's log: the id sent with it where that is well-formed.",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{REQUEST_ID.pattern}$"},
        "example": "7f3c2a9be1d04c58a6b0d2e4f8091a3c",
    },
    ETAG: {
        "description": "The entity tag for `If-Match` and `If-None-Match`: the `revision`, in quotes.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "example": '"1768557600123"',
    },
    LINK: {
        "description": 'Where the next page is, as a relative reference with `rel="next"`; absent on the last page.',
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
    },
    LOCATION: {
        "description": "Where the new resource is, as a relative reference.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    WWW_AUTHENTICATE: {
        "description": 'RFC 6750: the scheme alone where no token came, else with `error="invalid_token"`.',
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer( .*)?$"},
        "example": 'Bearer error="invalid_token", error_description="Token has expired"',
    },
    RETRY_AFTER: {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
        "example": RETRY_AFTER_SECONDS,
    },
}
# In requests; pages of allowed origins may send these.
REQUEST_HEADERS = ("Authorization", "Content-Type", "If-Match", "If-None-Match", REQUEST_ID_HEADER)
# In every answer, unless a view sets its own.
DEFAULT_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# How long a browser remembers what a preflight allowed.
PREFLIGHT_SECONDS = 600


def allow_origins(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of exactly these origins call, with credentials."""
    CORS(
        app,
        # Anchored patterns: flask-cors takes an origin with a bracket for a pattern.
        origins=[re.compile(re.escape(origin) + r"\Z") for origin in origins],
        methods=METHODS,
        allow_headers=list(REQUEST_HEADERS),
        expose_headers=list(HEADERS),
        supports_credentials=True,
        vary_header=False,  # every answer has it
        max_age=PREFLIGHT_SECONDS,
    )
    *others, add_headers = app.after_request_funcs[None]

    def add_headers_for_pages(response: Response) -> Response:
        # Only pages send an Origin; flask-cors would take a tenth of every other request's time.
        return add_headers(response) if "HTTP_ORIGIN" in request.environ else response  # type: ignore[return-value]

    app.after_request_funcs[None] = [*others, add_headers_for_pages]
