"""Who is calling: a bearer token is verified, and a user's tasks are open to that user alone.

RFC 6750 says how a token is carried and refused, RFC 8725 how it is verified.
"""

import contextlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

import jwt
from flask import Flask, current_app, request

from todo_api.config import Settings
from todo_api.errors import ApiError
from todo_api.models import USER_ID_LENGTH

# As every user_id in a path: what a URL carries and a database stores.
USER_ID = re.compile(f"[^/\x00\ud800-\udfff]{{1,{USER_ID_LENGTH}}}")
TOKEN_TYPES = {"jwt", "at+jwt"}
CACHED_TOKENS = 4096

# The reasons are ours: PyJWT's texts may quote the token.
REASONS: list[tuple[type[Exception], str]] = [
    (jwt.InvalidSignatureError, "signature verification failed"),
    (jwt.InvalidAlgorithmError, "algorithm not allowed"),
    (jwt.InvalidIssuerError, "wrong issuer"),
    (jwt.InvalidAudienceError, "wrong audience"),
    (jwt.ImmatureSignatureError, "not valid yet"),
    (jwt.exceptions.InvalidSubjectError, "bad subject"),
    (jwt.MissingRequiredClaimError, "a required claim is missing"),
]


class Verified(NamedTuple):
    """Whose a verified token is, and the Unix times from and until which it holds, leeway included."""

    user_id: str
    not_before: float
    expires: float


class Verifier(Protocol):
    """A way to tell whose a token is."""

    def verify(self, token: str) -> Verified:
        """Raises ApiError for a token that is refused."""


def refuse(detail: str) -> NoReturn:
    raise ApiError(401, detail, {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{detail}"'})


def refuse_invalid(reason: str) -> NoReturn:
    refuse(f"Invalid token: {reason}")


class Claims:
    """What a token must say, whatever key it is verified with."""

    def __init__(self, settings: Settings, *, fallback_claim: str | None = None) -> None:
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._leeway = settings.jwt_leeway_seconds
        self._fallback_claim = fallback_claim

    def verify(self, token: str, key: Any, algorithms: list[str]) -> Verified:
        """Verify signature and claims. Raises ApiError."""
        try:
            decoded = jwt.decode_complete(
                token,
                key,
                algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={
                    "require": ["exp"],
                    "verify_iss": self._issuer is not None,
                    "verify_aud": self._audience is not None,
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.ExpiredSignatureError:
            refuse("Token has expired")
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            refuse_invalid(next((reason for kind, reason in REASONS if isinstance(error, kind)), "malformed token"))
        header, claims = decoded["header"], decoded["payload"]
        if "crit" in header:
            refuse_invalid("critical extension not understood")
        if "typ" in header and str(header["typ"]).lower() not in TOKEN_TYPES:
            refuse_invalid("wrong type of token")
        not_before = [claims[name] - self._leeway for name in ("nbf", "iat") if _is_number(claims, name)]
        if not _is_number(claims, "exp", required=True):
            refuse_invalid("bad exp")
        return Verified(self._user_id(claims), max(not_before, default=0), claims["exp"] + self._leeway)

    def _user_id(self, claims: Mapping[str, Any]) -> str:
        user_id = claims.get("sub")
        if "sub" not in claims and self._fallback_claim:
            user_id = claims.get(self._fallback_claim)
        if not isinstance(user_id, str) or not USER_ID.fullmatch(user_id):
            refuse_invalid("bad subject")
        return user_id


def _is_number(claims: Mapping[str, Any], name: str, *, required: bool = False) -> bool:
    """A NumericDate (RFC 7519, section 2): PyJWT takes a numeral in a string, too."""
    if name not in claims and not required:
        return False
    if isinstance(claims.get(name), bool) or not isinstance(claims.get(name), int | float):
        refuse_invalid(f"bad {name}")
    return True


class SharedSecret:
    """Tokens signed with a secret that their issuer shares with this service (HS256, HS384, HS512)."""

    def __init__(self, settings: Settings, instance_path: str) -> None:
        self._settings = settings
        self._instance_path = instance_path
        self._claims = Claims(settings, fallback_claim="user_id")

    @cached_property
    def _key(self) -> bytes:
        # Not before it is needed: printing the API's document makes no file.
        secret = self._settings.better_auth_secret or kept_secret(self._instance_path)
        return secret.encode(errors="surrogateescape")

    def verify(self, token: str) -> Verified:
        return self._claims.verify(token, self._key, [self._settings.jwt_algorithm])

    def sign(self, user_id: str, minutes: int) -> str:
        """A token for development, as this very service accepts it."""
        settings, now = self._settings, int(time.time())
        claims: dict[str, Any] = {"sub": user_id, "iat": now, "exp": now + 60 * minutes}
        if settings.jwt_issuer is not None:
            claims["iss"] = settings.jwt_issuer
        if settings.jwt_audience is not None:
            claims["aud"] = settings.jwt_audience[0]
        return jwt.encode(claims, self._key, settings.jwt_algorithm)


class TokenCache:
    """Remembers verified tokens, whole, so that a busy user costs no signature check a request."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self._verified: dict[str, Verified] = {}

    def user_id(self, token: str) -> str:
        """Whose the token is. Raises ApiError; `exp` and `nbf` hold on every call."""
        verified = self._verified.get(token)
        if verified is None:
            verified = self.verifier.verify(token)
            if len(self._verified) >= CACHED_TOKENS:
                self._verified.clear()
            self._verified[token] = verified
        now = time.time()
        if now >= verified.expires:
            self._verified.pop(token, None)
            refuse("Token has expired")
        if now < verified.not_before:
            refuse_invalid("not valid yet")
        return verified.user_id


def authorize() -> None:
    """Before each request of a blueprint whose paths start with a user: let that user's token through, no other."""
    if request.method == "OPTIONS":  # a CORS preflight carries no token
        return
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    user_id = current_app.extensions[__name__].user_id(token)
    if user_id != (request.view_args or {}).get("user_id"):
        raise ApiError(403, "Access denied: You can only access your own resources")


def kept_secret(instance_path: str) -> str:
    """The random secret of a service with nothing configured: made once, readable by its owner alone."""
    path = Path(instance_path, "secret")
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Complete before it has its name, so that of several processes that make one, all end up with the first.
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    Path(draft).unlink()
    return path.read_text()


def verifier(app: Flask) -> SharedSecret:
    """The app's own, for signing tokens in development."""
    found: SharedSecret = app.extensions[__name__].verifier
    return found


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions[__name__] = TokenCache(SharedSecret(settings, app.instance_path))
