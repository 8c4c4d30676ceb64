"""The headers that the API uses: name, text for the document, and what pages of other origins may send and read."""

from typing import Any, NamedTuple

from todo_api.platform import logs
from todo_api.platform.web.errors import RETRY_AFTER_SECONDS


class Header(NamedTuple):
    """A header of answers, as the document describes it."""

    name: str
    description: str
    schema: dict[str, Any]
    example: object
    required: bool = True

    def documented(self) -> dict[str, Any]:
        fields = {"description": self.description, "schema": self.schema, "example": self.example}
        return {**fields, "required": True} if self.required else fields


REQUEST_ID = Header(
    logs.REQUEST_ID_HEADER,
    "Names this request in the server's log: the id sent with the request if it is well-formed, else a new one.",
    {"type": "string", "pattern": f"^{logs.REQUEST_ID.pattern}$"},
    "7f3c2a9be1d04c58a6b0d2e4f8091a3c",
)
LINK = Header(
    "Link",
    'Where the next page is, as a relative reference with `rel="next"`; absent on the last page.',
    {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
    '</api/alice/things?limit=2&cursor=1768557600123456_41>; rel="next"',
    required=False,
)
LOCATION = Header(
    "Location",
    "Where the new resource is, as a relative reference.",
    {"type": "string", "format": "uri-reference"},
    "/api/alice/things/42",
)
WWW_AUTHENTICATE = Header(
    "WWW-Authenticate",
    'RFC 6750: the scheme alone where no token came, else with `error="invalid_token"`.',
    {"type": "string", "pattern": "^Bearer( .*)?$"},
    'Bearer error="invalid_token", error_description="Token has expired"',
)
RETRY_AFTER = Header(
    "Retry-After",
    "Seconds to wait before trying again.",
    {"type": "integer", "minimum": 0},
    RETRY_AFTER_SECONDS,
)

# What pages of allowed origins may read of an answer, and send with a request.
HEADERS = (REQUEST_ID, LINK, LOCATION, WWW_AUTHENTICATE, RETRY_AFTER)
REQUEST_HEADERS = ("Authorization", "Content-Type", logs.REQUEST_ID_HEADER)
# What every answer carries, unless a page sets its own.
DEFAULTS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
