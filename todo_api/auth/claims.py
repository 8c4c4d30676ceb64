"""What every token must contain, whatever key verifies it, and how a token is refused."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import jwt

from todo_api.auth import user_id
from todo_api.platform.web.errors import api_error
from todo_api.platform.web.headers import WWW_AUTHENTICATE
from todo_api.settings import Settings

TOKEN_TYPES = {"jwt", "at+jwt"}

# In our own words: PyJWT's messages may quote the token.
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
    """A verified token: its user, and the Unix times between which it need not be verified again."""

    user_id: str
    not_before: float
    until: float
    expires: int  # the token's `exp`, without leeway


def refuse(detail: str) -> NoReturn:
    raise api_error(401, detail, {WWW_AUTHENTICATE: f'Bearer error="invalid_token", error_description="{detail}"'})


def refuse_invalid(reason: str) -> NoReturn:
    refuse(f"Invalid token: {reason}")


class Verifier(ABC):
    """Verifies a token's header, signature and claims (RFC 8725, section 3), with the keys that a subclass has."""

    def __init__(self, settings: Settings, algorithms: Sequence[str], *, user_claims: Sequence[str] = ("sub",)) -> None:
        self.fetches = {"ok": 0, "failed": 0}  # of a key set, for the metrics
        self._settings = settings
        self._algorithms = algorithms
        self._user_claims = user_claims

    @abstractmethod
    def key(self, header: Mapping[str, Any]) -> Any:
        """The key for a token with this header, which has been checked. Raises HTTPException."""

    def verify(self, token: str) -> Verified:
        """Raises HTTPException: 401 for a token that is refused, 503 while there are no keys."""
        leeway, audience = self._settings.jwt_leeway_seconds, self._settings.audience
        try:
            header = jwt.get_unverified_header(token)
            self._check_header(header)
            claims = jwt.decode(
                token,
                self.key(header),
                self._algorithms,
                issuer=self._settings.issuer,
                audience=audience,
                leeway=leeway,
                options={"require": ["exp"], "verify_aud": audience is not None, "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            refuse("Token has expired")
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            refuse_invalid(next((reason for kind, reason in REASONS if isinstance(error, kind)), "malformed token"))
        not_before = [_number(claims, name) - leeway for name in ("nbf", "iat") if name in claims]
        expires = _number(claims, "exp")
        return Verified(self._user_id(claims), max(not_before, default=0), expires + leeway, expires)

    def _check_header(self, header: Mapping[str, Any]) -> None:
        if header.get("alg") not in self._algorithms:
            refuse_invalid("algorithm not allowed")
        if "crit" in header:
            refuse_invalid("critical extension not understood")
        token_type = header.get("typ", "jwt")
        if not isinstance(token_type, str) or token_type.lower() not in TOKEN_TYPES:
            refuse_invalid("wrong type of token")

    def _user_id(self, claims: Mapping[str, Any]) -> str:
        subject = next((claims[name] for name in self._user_claims if name in claims), None)
        if not isinstance(subject, str) or not user_id.PATTERN.fullmatch(subject):
            refuse_invalid("bad subject")
        return subject


def _number(claims: Mapping[str, Any], name: str) -> int:
    """A NumericDate (RFC 7519, section 2) in whole seconds, as PyJWT compares it; PyJWT would also take a string."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse_invalid(f"bad {name}")
    return int(value)
