"""Settings: one table, read from the environment and a `.env` file by a function, never at import."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SQLITE_FILE = "todo.db"
# Better Auth falls back to this secret, so everybody knows it.
BETTER_AUTH_DEFAULT_SECRET = "better-auth-secret-12345678901234567890"
# What connecting and one statement may take together, so that with a second for a connection from the pool and for the
# statement's end a request is answered within ten.
DATABASE_SECONDS = 8
# RFC 7518, section 3.2: the key is at least as long as the hash.
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
# What may stand in a request's first line. No user and password: they would end up in logs, and key sets are public.
_PATH = r"[\w.~!$&'()*+,;=:@%/-]*"
_WEB_URL = re.compile(
    rf"https?://(\[[0-9A-F:.]+\]|[A-Z0-9._-]+)(:[0-9]{{1,5}})?(/{_PATH})?(\?{_PATH})?", re.ASCII | re.IGNORECASE
)
# RFC 6454, section 6.2: in small letters, a name in ASCII, without the scheme's own port.
ORIGIN = re.compile(
    r"(?!http://.*:80$|https://.*:443$)[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[1-9][0-9]{0,4})?"
)


class SettingsError(Exception):
    """One or more settings are wrong; `problems` names each, and never quotes a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def cast(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return cast


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ValueError("must be true or false")
    return text.lower() in {"1", "true", "yes", "on"}


def _database_url(text: str) -> URL:
    """The URL as users paste it, made SQLAlchemy's; what is wrong is said without quoting it: it holds a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL") from None
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg2"}:
        try:
            make_dsn(**dict.fromkeys(url.query, ""))
        except ProgrammingError:  # here, or at every request
            raise ValueError("has a parameter after its ? that PostgreSQL does not know") from None
        # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3.
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername != "sqlite":
        raise ValueError("must start with postgres://, postgresql:// or sqlite:///")
    if url.host or url.query or url.database in {None, "", ":memory:"} or str(url.database).startswith("file:"):
        raise ValueError("must name a file and no more, such as sqlite:///todo.db: memory is lost at each stop")
    return url


def web_url(text: str) -> str:
    """Raises ValueError for what is no http or https URL that a request can be made of."""
    if not _WEB_URL.fullmatch(text):
        raise ValueError("must be an http or https URL without a user, a password and a fragment")
    origin(text)
    return text


def _base_url(text: str) -> str:
    if "?" in text:
        raise ValueError("must have no query")
    return web_url(text)


def origin(url: str) -> str:
    """Scheme, host and port as browsers and Better Auth write them (RFC 6454). Raises ValueError."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in {None, {"http": 80, "https": 443}[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _algorithm(text: str) -> str:
    if text not in SECRET_BYTES:
        raise ValueError(f"must be one of {', '.join(SECRET_BYTES)}")
    return text


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("must be at least 16 characters of printable ASCII")
    return text


def _names(text: str) -> tuple[str, ...]:
    """One string, or a JSON list of strings."""
    if not text.startswith("["):
        return (text,)
    try:
        names = json.loads(text)
    except ValueError:
        raise ValueError("must be a string or a JSON list of strings") from None
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("must be a string or a JSON list of strings")
    return tuple(names)


def _origins(text: str) -> tuple[str, ...]:
    try:
        origins = json.loads(text)
    except ValueError:
        origins = None
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise ValueError('must be a JSON list of origins, such as ["http://localhost:3000"]')
    for origin in origins:
        if origin == "*":
            raise ValueError("must not hold *, since credentials are allowed: name each origin")
        if not ORIGIN.fullmatch(origin):
            raise ValueError("must hold exact origins as browsers send them: scheme, host and port, no path, no slash")
    return tuple(origins)


def setting(default: object, cast: Callable[[str], object], help: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"cast": cast, "help": help, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, in the README's order. A field's name in capitals is its variable."""

    database_url: URL | None = setting(
        None, _database_url, "`postgres://`, `postgresql://` or `sqlite:///`; unset: SQLite in `instance/`", secret=True
    )
    better_auth_secret: str | None = setting(
        None, str, "the secret that signs the tokens, at least 32, 48 or 64 bytes for HS256, 384, 512", secret=True
    )
    better_auth_url: str | None = setting(
        None, _base_url, "where Better Auth is: its published keys verify the tokens, and there is no secret"
    )
    better_auth_jwks_url: str | None = setting(
        None, web_url, "its key set; unset: `/api/auth/jwks` at `BETTER_AUTH_URL`, or `/jwks` after that one's path"
    )
    jwt_algorithm: str = setting("HS256", _algorithm, "`HS256`, `HS384` or `HS512`, with the secret")
    jwt_issuer: str | None = setting(
        None, str, "the `iss` that a token must carry; unset: the origin of `BETTER_AUTH_URL`, or any"
    )
    jwt_audience: tuple[str, ...] | None = setting(
        None, _names, "the `aud` that a token must carry; a JSON list: one of them; unset: as `JWT_ISSUER`"
    )
    jwt_leeway_seconds: int = setting(10, _whole_number(0, 300), "clock difference allowed for `exp`, `nbf` and `iat`")
    cors_origins: tuple[str, ...] = setting(
        ("http://localhost:3000",), _origins, "a JSON list of the exact origins whose pages may call"
    )
    debug: bool = setting(False, _yes_or_no, "log more; nothing else")
    host: str = setting("127.0.0.1", str, "address to listen on")
    port: int = setting(8000, _whole_number(1, 65535), "port to listen on")
    web_concurrency: int | None = setting(
        None, _whole_number(1, 64), "worker processes; unset: 1 on SQLite, else one a CPU, at most 4"
    )
    threads: int = setting(8, _whole_number(1, 256), "threads of a worker; its pool has two connections fewer")
    lame_duck_seconds: int = setting(
        2, _whole_number(0, 60), "a stopping service goes on accepting for so long, and is not ready"
    )
    drain_seconds: int = setting(
        6, _whole_number(1, 300), "then what was accepted has so long to end; the stop takes a second more at most"
    )
    max_body_bytes: int = setting(1024 * 1024, _whole_number(1024, 2**30), "a larger request body is refused (413)")
    db_connect_timeout_seconds: int = setting(
        3, _whole_number(1, DATABASE_SECONDS), "limit for connecting to PostgreSQL"
    )
    db_lock_timeout_seconds: int = setting(2, _whole_number(1, DATABASE_SECONDS), "limit for waiting for a lock")
    db_statement_timeout_seconds: int = setting(
        4,
        _whole_number(1, DATABASE_SECONDS),
        f"limit for one statement; with the one for connecting at most {DATABASE_SECONDS}",
    )
    metrics_token: str | None = setting(
        None,
        _token,
        "the bearer token that opens `/metrics`, at least 16 characters; unset: there is none",
        secret=True,
    )

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url is None or self.database_url.drivername == "sqlite"

    @property
    def jwks_url(self) -> str | None:
        """Where the key set is; None with a shared secret."""
        if self.better_auth_jwks_url or self.better_auth_url is None:
            return self.better_auth_jwks_url
        base = self.better_auth_url.rstrip("/")
        return f"{base}/jwks" if urlsplit(base).path else f"{base}/api/auth/jwks"

    @property
    def issuer(self) -> str | None:
        """The `iss` that is required; None: any."""
        return self.jwt_issuer or (origin(self.better_auth_url) if self.better_auth_url else None)

    @property
    def audience(self) -> tuple[str, ...] | None:
        """The `aud` of which one is required; None: any."""
        return self.jwt_audience or ((origin(self.better_auth_url),) if self.better_auth_url else None)

    @property
    def makes_its_secret(self) -> bool:
        """Whether tokens are signed with a secret of the service's own, so that it can issue them for development."""
        return self.better_auth_secret is None and self.jwks_url is None

    def database(self, instance_path: str) -> URL:
        """The database's URL; a relative SQLite path lies in `instance_path`."""
        url = self.database_url or URL.create("sqlite", database=SQLITE_FILE)
        if url.drivername != "sqlite":
            return url
        return url.set(database=str(Path(instance_path, url.database or SQLITE_FILE)))


def read_settings(environment: Mapping[str, str] | None = None, env_file: str = ".env") -> Settings:
    """Read the settings from the environment and, where it has none, from `env_file`.

    Raises SettingsError, which names all that are wrong at once.
    """
    environment = os.environ if environment is None else environment
    # An empty variable is none, so that one in `.env` still counts; but nobody means an empty secret.
    present = {name: value for name, value in environment.items() if value or name == "BETTER_AUTH_SECRET"}
    try:
        # As `flask` reads it, which puts it into the environment before this is called.
        given = {**dotenv_values(env_file), **present}
    except (OSError, UnicodeDecodeError):
        raise SettingsError([f"{env_file} cannot be read as UTF-8 text"]) from None
    values: dict[str, Any] = {}
    problems: list[str] = []
    for spec in fields(Settings):
        name = spec.name.upper()
        text = given.get(name)
        if text or (text == "" and name == "BETTER_AUTH_SECRET"):
            try:
                values[spec.name] = spec.metadata["cast"](text)
            except ValueError as error:
                problems.append(f"{name} {error}")
    problems += _authentication_problems(given, values)
    problems += _time_limit_problems(values)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _authentication_problems(given: Mapping[str, str | None], values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the way to verify tokens: one is needed, unless a secret is made up and kept."""
    problems: list[str] = []
    secret = values.get("better_auth_secret")
    algorithm = values.get("jwt_algorithm", Settings.jwt_algorithm)
    if secret == "":
        problems.append("BETTER_AUTH_SECRET is empty")
    elif secret == BETTER_AUTH_DEFAULT_SECRET:
        problems.append("BETTER_AUTH_SECRET is Better Auth's public default: everybody knows it")
    elif secret is not None and len(secret.encode(errors="surrogateescape")) < SECRET_BYTES[algorithm]:
        problems.append(f"BETTER_AUTH_SECRET is too short: {algorithm} needs at least {SECRET_BYTES[algorithm]} bytes")
    key_set = [name for name in ("BETTER_AUTH_URL", "BETTER_AUTH_JWKS_URL") if given.get(name)]
    if key_set and secret is not None:
        problems.append(f"BETTER_AUTH_SECRET and {key_set[0]} are both set: tokens are verified in one way")
    elif key_set and given.get("JWT_ALGORITHM"):
        problems.append(f"JWT_ALGORITHM and {key_set[0]} are both set: a published key names its own algorithm")
    elif not key_set and secret is None and given.get("DATABASE_URL"):
        problems.append(
            "BETTER_AUTH_SECRET is not set, nor BETTER_AUTH_URL: a DATABASE_URL needs a way to verify tokens"
        )
    if key_set == ["BETTER_AUTH_JWKS_URL"]:
        missing = [name for name in ("JWT_ISSUER", "JWT_AUDIENCE") if not given.get(name)]
        problems += [f"{name} is not set: BETTER_AUTH_JWKS_URL alone does not tell it" for name in missing]
    return problems


def _time_limit_problems(values: Mapping[str, Any]) -> list[str]:
    names = ("db_connect_timeout_seconds", "db_statement_timeout_seconds")
    if sum(values.get(name, getattr(Settings, name)) for name in names) <= DATABASE_SECONDS:
        return []
    return [
        f"DB_CONNECT_TIMEOUT_SECONDS and DB_STATEMENT_TIMEOUT_SECONDS together must be at most {DATABASE_SECONDS}:"
        " a request is answered within ten seconds"
    ]
