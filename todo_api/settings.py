"""The table of settings, `read_settings()`, and the options for the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import URL

from todo_api.platform import casts
from todo_api.platform.casts import SECRET_BYTES, origin, whole_number
from todo_api.platform.environment import SettingsError, cast_settings, read_environment, setting
from todo_api.platform.options import DatabaseOptions, ServerOptions

UPGRADE_COMMAND = "flask --app wsgi db upgrade"
SQLITE_FILE = "todo.db"
# Better Auth falls back to this secret, so everybody knows it.
BETTER_AUTH_DEFAULT_SECRET = "better-auth-secret-12345678901234567890"
# For connecting and one statement together: with a second for the pool and one of grace, a request ends within ten.
DB_SECONDS = 8


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, in the order of the README, which says more of each. Its name in capitals is its variable."""

    database_url: URL | None = setting(None, casts.database_url, "PostgreSQL or SQLite", secret=True)
    better_auth_secret: str | None = setting(None, str, "the secret that signs the tokens", secret=True)
    better_auth_url: str | None = setting(None, casts.base_url, "where Better Auth is")
    better_auth_jwks_url: str | None = setting(None, casts.web_url, "its key set")
    jwt_algorithm: str = setting("HS256", casts.algorithm, "`HS256`, `HS384` or `HS512`, with the secret")
    jwt_issuer: str | None = setting(None, str, "the `iss` that a token must carry")
    jwt_audience: tuple[str, ...] | None = setting(None, casts.names, "the `aud` that a token must carry")
    jwt_leeway_seconds: int = setting(10, whole_number(0, 300), "clock difference allowed for `exp`, `nbf` and `iat`")
    cors_origins: tuple[str, ...] = setting(("http://localhost:3000",), casts.origins, "a JSON list of exact origins")
    debug: bool = setting(False, casts.yes_or_no, "log more; nothing else")
    host: str = setting("127.0.0.1", str, "address to listen on")
    port: int = setting(8000, whole_number(1, 65535), "port to listen on")
    web_concurrency: int | None = setting(None, whole_number(1, 64), "worker processes")
    pin_workers: bool | None = setting(None, casts.yes_or_no, "keep each worker on one CPU")
    threads: int = setting(8, whole_number(1, 256), "requests that a worker can have in the database at once")
    lame_duck_seconds: int = setting(2, whole_number(0, 60), "a stopping service goes on accepting for so long")
    drain_seconds: int = setting(6, whole_number(1, 300), "then what was accepted has so long to end")
    max_body_bytes: int = setting(1024 * 1024, whole_number(1024, 2**30), "a larger request body is refused (413)")
    db_connect_timeout_seconds: int = setting(3, whole_number(1, DB_SECONDS), "limit for connecting to PostgreSQL")
    db_lock_timeout_seconds: int = setting(2, whole_number(1, DB_SECONDS), "limit for waiting for a lock")
    db_statement_timeout_seconds: int = setting(
        4, whole_number(1, DB_SECONDS), f"limit for one statement; with the one for connecting at most {DB_SECONDS}"
    )
    metrics_token: str | None = setting(None, casts.token, "the bearer token that opens `/metrics`", secret=True)

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url is None or self.database_url.drivername == "sqlite"

    @property
    def jwks_url(self) -> str | None:
        """The key set's URL; None with a shared secret."""
        if self.better_auth_jwks_url or self.better_auth_url is None:
            return self.better_auth_jwks_url
        base = self.better_auth_url.rstrip("/")
        return f"{base}/jwks" if urlsplit(base).path else f"{base}/api/auth/jwks"

    @property
    def issuer(self) -> str | None:
        """The required `iss`; None: any."""
        return self.jwt_issuer or (origin(self.better_auth_url) if self.better_auth_url else None)

    @property
    def audience(self) -> tuple[str, ...] | None:
        """The values of `aud` of which one is required; None: any."""
        return self.jwt_audience or ((origin(self.better_auth_url),) if self.better_auth_url else None)

    @property
    def makes_its_secret(self) -> bool:
        """Whether the service makes its own secret, with which it can issue tokens for development."""
        return self.better_auth_secret is None and self.jwks_url is None

    def database(self, instance_path: str) -> DatabaseOptions:
        """The database's options; a relative SQLite path starts in `instance_path`."""
        url = self.database_url or URL.create("sqlite", database=SQLITE_FILE)
        if url.drivername == "sqlite":
            url = url.set(database=str(Path(instance_path, url.database or SQLITE_FILE)))
        return DatabaseOptions(
            url=url,
            connections=self.threads,
            connect_seconds=self.db_connect_timeout_seconds,
            lock_seconds=self.db_lock_timeout_seconds,
            statement_seconds=self.db_statement_timeout_seconds,
            application_name="todo-api",
            upgrade_command=UPGRADE_COMMAND,
        )

    @property
    def server(self) -> ServerOptions:
        return ServerOptions(
            host=self.host,
            port=self.port,
            workers=self.web_concurrency or (1 if self.uses_sqlite else None),
            pin_workers=self.pin_workers,
            connections=self.threads,
            lame_duck_seconds=self.lame_duck_seconds,
            drain_seconds=self.drain_seconds,
            max_body_bytes=self.max_body_bytes,
            metrics=self.metrics_token is not None,
        )


def read_settings(environment: Mapping[str, str] | None = None, env_file: str = ".env") -> Settings:
    """Read the settings from the environment, else from `env_file`. Raises SettingsError with all problems at once."""
    # An empty secret is a mistake: it is refused, rather than treated as unset.
    given = read_environment(environment, env_file, may_be_empty={"BETTER_AUTH_SECRET"})
    values, problems = cast_settings(Settings, given)
    settings = Settings(**values)  # with the defaults of those that are wrong
    problems += _authentication_problems(given, settings)
    if settings.db_connect_timeout_seconds + settings.db_statement_timeout_seconds > DB_SECONDS:
        problems.append(
            f"DB_CONNECT_TIMEOUT_SECONDS and DB_STATEMENT_TIMEOUT_SECONDS together must be at most {DB_SECONDS}:"
            " a request is answered within ten seconds"
        )
    if problems:
        raise SettingsError(problems)
    return settings


def _authentication_problems(given: Mapping[str, str], settings: Settings) -> list[str]:
    """Problems with the one way to verify tokens: a secret, a key set, or a secret that the service makes."""
    problems: list[str] = []
    secret, algorithm = settings.better_auth_secret, settings.jwt_algorithm
    if secret == "":
        problems.append("BETTER_AUTH_SECRET is empty")
    elif secret == BETTER_AUTH_DEFAULT_SECRET:
        problems.append("BETTER_AUTH_SECRET is Better Auth's public default: everybody knows it")
    elif secret is not None and len(secret.encode(errors="surrogateescape")) < SECRET_BYTES[algorithm]:
        problems.append(f"BETTER_AUTH_SECRET is too short: {algorithm} needs at least {SECRET_BYTES[algorithm]} bytes")
    key_set = [name for name in ("BETTER_AUTH_URL", "BETTER_AUTH_JWKS_URL") if given.get(name)]
    if key_set and secret is not None:
        problems.append(f"BETTER_AUTH_SECRET and {key_set[0]} are both set: tokens are verified in one way")
    elif not key_set and secret is None and given.get("DATABASE_URL"):
        problems.append("BETTER_AUTH_SECRET is not set, nor BETTER_AUTH_URL: DATABASE_URL needs a way to verify tokens")
    if key_set == ["BETTER_AUTH_JWKS_URL"]:
        missing = [name for name in ("JWT_ISSUER", "JWT_AUDIENCE") if not given.get(name)]
        problems += [f"{name} is not set: BETTER_AUTH_JWKS_URL alone does not tell it" for name in missing]
    return problems
