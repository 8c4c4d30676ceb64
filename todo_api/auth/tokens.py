"""Bearer tokens (RFC 6750), each verified once, with a shared secret or a key set, and cached while it is valid."""

import threading
import time

from flask import Flask

from todo_api.auth.claims import Verified, Verifier
from todo_api.auth.key_set import KeySet
from todo_api.auth.shared_secret import SharedSecret
from todo_api.settings import Settings

CACHED_TOKENS = 4096
CACHED_TOKEN_LENGTH = 4096


class TokenCache:
    """Caches verified tokens, so that most requests cost no signature check."""

    def __init__(self, settings: Settings, instance_path: str) -> None:
        self.verifier: Verifier = (
            KeySet(settings, changed=self.clear) if settings.jwks_url else SharedSecret(settings, instance_path)
        )
        self._verified: dict[str, Verified] = {}
        self._lock = threading.Lock()

    def verified(self, token: str) -> Verified:
        """What the token says. Raises HTTPException. `exp` and `nbf` are checked on every call."""
        cache = self._verified  # taken before the keys are used: what old keys verified must not outlive them
        verified = cache.get(token)
        if verified is not None and verified.not_before <= time.time() < verified.until:
            return verified
        verified = self.verifier.verify(token)
        if len(token) <= CACHED_TOKEN_LENGTH:
            with self._lock:
                if len(cache) >= CACHED_TOKENS:
                    del cache[next(iter(cache))]  # the oldest, which is verified again if it comes back
                cache[token] = verified
        return verified

    def clear(self) -> None:
        self._verified = {}


def token_cache(app: Flask) -> TokenCache:
    cache: TokenCache = app.extensions[__name__]
    return cache


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions[__name__] = TokenCache(settings, app.instance_path)
