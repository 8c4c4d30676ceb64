"""CORS: which origins' pages may call, with which methods and headers."""

import re
from collections.abc import Sequence

from flask import Flask, Response, request
from flask_cors import CORS

from todo_api.platform.web.headers import HEADERS, REQUEST_HEADERS

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
        expose_headers=[header.name for header in HEADERS],
        supports_credentials=True,
        vary_header=False,  # every answer has it
        max_age=PREFLIGHT_SECONDS,
    )
    *others, add_headers = app.after_request_funcs[None]

    def add_headers_for_pages(response: Response) -> Response:
        # Only a page's request brings an Origin; flask-cors would spend a tenth of every other request on it.
        return add_headers(response) if "HTTP_ORIGIN" in request.environ else response  # type: ignore[return-value]

    app.after_request_funcs[None] = [*others, add_headers_for_pages]
