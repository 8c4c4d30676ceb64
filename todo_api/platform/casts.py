"""Casts from a setting's text to its value. Each raises ValueError with the rule that is broken, not the text."""

import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

# RFC 7518, section 3.2: the key is at least as long as the hash.
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
# The characters of a request's first line. No user and password: they would end up in logs, and key sets are public.
_PATH = r"[\w.~!$&'()*+,;=:@%/-]*"
_WEB_URL = re.compile(
    rf"https?://(\[[0-9A-F:.]+\]|[A-Z0-9._-]+)(:[0-9]{{1,5}})?(/{_PATH})?(\?{_PATH})?", re.ASCII | re.IGNORECASE
)
# RFC 6454, section 6.2: lower case, a name in ASCII, without the scheme's own port.
ORIGIN = re.compile(
    r"(?!http://.*:80$|https://.*:443$)[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[1-9][0-9]{0,4})?"
)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    def cast(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return cast


def yes_or_no(text: str) -> bool:
    if text.lower() not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ValueError("must be true or false")
    return text.lower() in {"1", "true", "yes", "on"}


def database_url(text: str) -> URL:
    """A database URL, from the forms that users paste to the one that SQLAlchemy takes."""
    if text != text.strip():  # it would be a part of the name
        raise ValueError("must not begin or end with white space")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL") from None
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg2"}:
        try:
            make_dsn(**dict.fromkeys(url.query, ""))
        except ProgrammingError:  # better now than at every request
            raise ValueError("has a parameter after its ? that PostgreSQL does not know") from None
        # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3.
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername != "sqlite":
        raise ValueError("must start with postgres://, postgresql:// or sqlite:///")
    if url.host or url.query or url.database in {None, "", ":memory:"} or str(url.database).startswith("file:"):
        raise ValueError("must name a file and no more, such as sqlite:///todo.db: memory is lost at each stop")
    return url


def web_url(text: str) -> str:
    """An http or https URL that can be fetched."""
    if not _WEB_URL.fullmatch(text):
        raise ValueError("must be an http or https URL without a user, a password and a fragment")
    origin(text)
    return text


def base_url(text: str) -> str:
    if "?" in text:
        raise ValueError("must have no query")
    return web_url(text)


def origin(url: str) -> str:
    """Scheme, host and port as browsers and Better Auth write them (RFC 6454). Raises ValueError."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in {None, {"http": 80, "https": 443}[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def algorithm(text: str) -> str:
    if text not in SECRET_BYTES:
        raise ValueError(f"must be one of {', '.join(SECRET_BYTES)}")
    return text


def token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("must be at least 16 characters of printable ASCII")
    return text


def names(text: str) -> tuple[str, ...]:
    """One string, or a JSON list of strings."""
    values = _json_list(text) if text.startswith("[") else [text]
    if not values or not all(values):
        raise ValueError("must be a string or a JSON list of strings")
    return tuple(values)


def origins(text: str) -> tuple[str, ...]:
    values = _json_list(text)
    if values is None:
        raise ValueError('must be a JSON list of origins, such as ["http://localhost:3000"]')
    if "*" in values:
        raise ValueError("must not hold *, since credentials are allowed: name each origin")
    if not all(ORIGIN.fullmatch(value) for value in values):
        raise ValueError("must hold exact origins as browsers send them: scheme, host and port, no path, no slash")
    return tuple(values)


def _json_list(text: str) -> list[str] | None:
    """The strings of a JSON list; None if it is not one."""
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else None
