"""Who is calling: a bearer token is verified, and a user's tasks are open to that user alone.

RFC 6750 says how a token is carried and refused, RFC 8725 how it is verified: with a shared secret or a key set.
"""

import threading
import time

from flask import Flask, current_app, request

from todo_api.auth.claims import USER_ID, Verified, Verifier
from todo_api.auth.key_set import KeySet
from todo_api.auth.shared_secret import SharedSecret, kept_secret
from todo_api.platform.web.errors import ApiError
from todo_api.settings import Settings

__all__ = ["USER_ID", "KeySet", "SharedSecret", "TokenCache", "authorize", "init_app", "kept_secret", "verifier"]

CACHED_TOKENS = 4096
CACHED_TOKEN_LENGTH = 4096


class TokenCache:
    """Remembers verified tokens, whole, so that a busy user costs no signature check a request."""

    def __init__(self, settings: Settings, instance_path: str) -> None:
        self.verifier: Verifier = (
            KeySet(settings, changed=self.clear) if settings.jwks_url else SharedSecret(settings, instance_path)
        )
        self._verified: dict[str, Verified] = {}
        self._lock = threading.Lock()

    def user_id(self, token: str) -> str:
        """Whose the token is. Raises ApiError; `exp` and `nbf` hold on every call."""
        verified = self._verified.get(token)
        if verified is None or not verified.not_before <= time.time() < verified.until:
            verified = self._verify(token)
        return verified.user_id

    def _verify(self, token: str) -> Verified:
        cache = self._verified  # before the keys are looked at: what old ones have verified must not outlive them
        verified = self.verifier.verify(token)
        if len(token) <= CACHED_TOKEN_LENGTH:
            with self._lock:
                if len(cache) >= CACHED_TOKENS:
                    del cache[next(iter(cache))]  # the oldest: one token more costs one signature check more
                cache[token] = verified
        return verified

    def clear(self) -> None:
        self._verified = {}


def authorize() -> None:
    """Before each request of a blueprint whose paths start with a user: let that user's token through, no other."""
    environ = request.environ
    if environ["REQUEST_METHOD"] == "OPTIONS":  # a CORS preflight carries no token
        return
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    user_id = current_app.extensions[__name__].user_id(token)
    if user_id != (request.view_args or {}).get("user_id"):
        raise ApiError(403, "Access denied: You can only access your own resources")


def verifier(app: Flask) -> Verifier:
    """The app's own: a SharedSecret, which signs tokens for development, or a KeySet."""
    found: Verifier = app.extensions[__name__].verifier
    return found


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions[__name__] = TokenCache(settings, app.instance_path)
