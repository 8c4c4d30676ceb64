"""Tokens signed with a key from the set that the issuer publishes (RFC 7517), as Better Auth does by default."""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

import jwt

from todo_api.auth.claims import Verified, Verifier, refuse_invalid
from todo_api.platform.fetch import fetch
from todo_api.platform.waiting import run_in_thread
from todo_api.platform.web.errors import unavailable
from todo_api.settings import Settings

log = logging.getLogger(__name__)

ALGORITHMS = ["EdDSA", "ES256", "ES384", "ES512", "RS256", "PS256"]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

MAX_BYTES = 256 * 1024
FETCH_SECONDS = 3.0  # for a whole fetch, and so for a request that waits for one
FETCH_INTERVAL_SECONDS = 3.0  # at least, between the starts of two fetches
REFRESH_SECONDS = 300.0
RETRY_SECONDS = 30.0  # after a failed refresh, while keys are kept
KEEP_SECONDS = 24 * 3600.0


class KeySet(Verifier):
    """Verifies with the published keys, each bound to its own algorithm.

    A fetch runs in its own thread, started by the first request after it is due: an idle process does nothing, and a
    fork loses nothing. Only a request whose key is unknown waits for a fetch.
    """

    def __init__(self, settings: Settings, changed: Callable[[], None]) -> None:
        """`changed` is called after the keys have changed."""
        super().__init__(settings, ALGORITHMS)
        assert settings.jwks_url
        self._url = settings.jwks_url
        self._changed = changed
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._body = b""
        self._keys: dict[str, jwt.PyJWK] = {}
        # Monotonic times: when the last fetch began, when the keys expire, when the next fetch is due.
        self._began = self._kept_until = self._due = float("-inf")
        self._failing = False

    def verify(self, token: str) -> Verified:
        verified = super().verify(token)
        # The token is verified again once a fetch is due, since verifying is what starts fetches.
        fetch_at = time.time() + min(self._due, self._kept_until) - monotonic()
        return verified._replace(until=min(verified.until, fetch_at))

    def key(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        if "kid" not in header:
            refuse_invalid("no key id")
        key = self._kept().get(header["kid"])  # before a fetch that this call starts, but does not wait for
        if key is None:
            self._wait_for_keys()
            key = self._kept().get(header["kid"])
        elif monotonic() >= self._due:
            self._start_fetch()
        if key is None and not self._kept():
            raise unavailable()
        return key or refuse_invalid("unknown key")

    def _kept(self) -> dict[str, jwt.PyJWK]:
        return self._keys if monotonic() < self._kept_until else {}

    def _wait_for_keys(self) -> None:
        """Wait for the fetch that this call starts, or the very first: others do not wait for a provider that hangs."""
        started = self._start_fetch()
        if self._thread and (started or not any(self.fetches.values())):
            run_in_thread(partial(self._thread.join, max(0, self._began + FETCH_SECONDS - monotonic())))

    def _start_fetch(self) -> bool:
        """Start a fetch, unless one is running or the last began just now. Returns whether it was started."""
        with self._lock:
            now = monotonic()
            if now < self._began + FETCH_INTERVAL_SECONDS or (self._thread and self._thread.is_alive()):
                return False
            self._began = now
            self._due = now + RETRY_SECONDS
            self._thread = threading.Thread(target=self._fetch, name="key-set", daemon=True)
            self._thread.start()
            return True

    def _fetch(self) -> None:
        try:
            body = fetch(self._url, seconds=FETCH_SECONDS, max_bytes=MAX_BYTES)
            if body != self._body:
                self._keys, self._body = signing_keys(body), body
                self._changed()
        except Exception as error:  # a server can answer anything
            self.fetches["failed"] += 1
            if not self._failing:
                reason = f"{type(error).__name__}: {error}"[:200]
                log.warning("The key set cannot be fetched (%r); kept keys: %d", reason, len(self._kept()))
            self._failing = True
            return
        self._due = monotonic() + REFRESH_SECONDS
        self._kept_until = monotonic() + KEEP_SECONDS
        if self._failing:
            log.info("The key set can be fetched again; keys: %d", len(self._keys))
        self._failing = False
        # Last, since it ends the wait for the very first fetch.
        self.fetches["ok"] += 1


def signing_keys(body: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys of a JWKS document by `kid`, without those that share one. Raises any error if malformed."""
    usable = [key for jwk in json.loads(body)["keys"] if (key := _signing_key(jwk)) is not None]
    uses = Counter(key.key_id for key in usable)
    keys = {key.key_id: key for key in usable if key.key_id and uses[key.key_id] == 1}
    if not keys:
        raise ValueError("no usable key in the set")
    return keys


def _signing_key(jwk: Any) -> jwt.PyJWK | None:
    """The key, bound to its algorithm; None if it is not meant for verifying signatures, or not fit for it."""
    try:
        # Without `alg` it is of the algorithm that fits its kind; of EdDSA PyJWT knows one curve alone.
        key = jwt.PyJWK({"alg": "EdDSA", **jwk} if jwk["kty"] == "OKP" else jwk)
        key.Algorithm.prepare_key(key.key)  # raises for the curve of another algorithm
        is_too_short = key.Algorithm.check_key_length(key.key)
        is_meant = jwk.get("use", "sig") == "sig" and "verify" in list(jwk.get("key_ops", ["verify"]))
    except Exception:  # PyJWT and cryptography raise many: one odd key must not spoil the others
        return None
    is_public = isinstance(key.key_id, str) and not PRIVATE_MEMBERS & jwk.keys()
    return key if key.algorithm_name in ALGORITHMS and is_meant and is_public and not is_too_short else None
