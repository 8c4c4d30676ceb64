"""Tokens signed with a secret that the issuer shares with this service."""

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt

from todo_api.auth.claims import Verifier
from todo_api.settings import Settings


class SharedSecret(Verifier):
    """Verifies with HS256, HS384 or HS512 (RFC 7518, section 3.2), as the settings say."""

    def __init__(self, settings: Settings, instance_path: str) -> None:
        super().__init__(settings, [settings.jwt_algorithm], user_claims=("sub", "user_id"))
        self._instance_path = instance_path

    @cached_property
    def _secret(self) -> bytes:
        # Read on first use, so that printing the API's document makes no file.
        secret = self._settings.better_auth_secret or kept_secret(self._instance_path)
        return secret.encode(errors="surrogateescape")

    def key(self, header: Mapping[str, Any]) -> bytes:
        return self._secret

    def sign(self, user_id: str, minutes: int) -> str:
        """Issue a token for development."""
        now = int(time.time())
        claims: dict[str, Any] = {"sub": user_id, "iat": now, "exp": now + 60 * minutes}
        required = {"iss": self._settings.issuer, "aud": self._settings.audience}
        claims |= {name: value for name, value in required.items() if value is not None}
        return jwt.encode(claims, self._secret, self._settings.jwt_algorithm)


def kept_secret(instance_path: str) -> str:
    """The random secret of a service with nothing configured: made once, readable only by its owner."""
    path = Path(instance_path, "secret")
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Complete before it gets its name, so that processes that start at the same time all use the first one's.
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    Path(draft).unlink()
    return path.read_text()
