"""The blueprint of a user's resources: every operation of it needs that user's token."""

from typing import Any

from flask import current_app, g, request

from todo_api.auth import user_id
from todo_api.auth.tokens import token_cache
from todo_api.platform.web.blueprint import Blueprint, Decorator
from todo_api.platform.web.errors import api_error
from todo_api.platform.web.headers import WWW_AUTHENTICATE
from todo_api.platform.web.openapi import BAD_REQUEST, BEARER, FAULT, UNAVAILABLE, ErrorAnswer

NOT_AUTHENTICATED = "Not authenticated"
ACCESS_DENIED = "Access denied: You can only access your own resources"
UNAUTHORIZED = ErrorAnswer(
    401,
    "Unauthorized",
    "There is no bearer token, or none that is valid.",
    {
        "No token": NOT_AUTHENTICATED,
        "Expired": "Token has expired",
        "Invalid": "Invalid token: signature verification failed",
    },
    [WWW_AUTHENTICATE],
)
FORBIDDEN = ErrorAnswer(
    403,
    "Forbidden",
    "The token belongs to another user than the `user_id` in the path.",
    {"Another user's": ACCESS_DENIED},
)


class UserBlueprint(Blueprint):
    """Resources of one user at `/api/<user_id>/<path>`, open only to that user's tokens."""

    ERRORS = (BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, FAULT, UNAVAILABLE)
    SECURITY = ({BEARER: ()},)

    def __init__(self, name: str, import_name: str, *, path: str, **options: Any) -> None:
        super().__init__(name, import_name, url_prefix=f"/api/<user_id>/{path}", **options)
        self.before_request(authorize)

    def route(self, rule: str, **options: Any) -> Decorator:
        return super().route(rule, parameters=[user_id.PATH_PARAMETER], **options)


def authorize() -> None:
    """Require a token of the user in the request's path. Raises HTTPException 401 or 403."""
    environ = request.environ
    if environ["REQUEST_METHOD"] == "OPTIONS" and request.url_rule.provide_automatic_options:  # type: ignore[union-attr]
        return  # a CORS preflight carries no token
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise api_error(401, NOT_AUTHENTICATED, {WWW_AUTHENTICATE: "Bearer"})
    verified = token_cache(current_app).verified(token)
    if verified.user_id != (request.view_args or {}).get("user_id"):
        raise api_error(403, ACCESS_DENIED)
    g.token_expires = verified.expires
