"""The settings that the platform needs."""

from dataclasses import dataclass

from sqlalchemy import URL


@dataclass(frozen=True)
class DatabaseOptions:
    """Where the database is, and how long to wait for it. If its schema is old, the log says `upgrade_command`."""

    url: URL
    connections: int
    connect_seconds: int
    lock_seconds: int
    statement_seconds: int
    application_name: str
    upgrade_command: str


@dataclass(frozen=True)
class ServerOptions:
    """Where and how to serve; None for `workers` and `pin_workers`: as fits the machine."""

    host: str
    port: int
    workers: int | None
    pin_workers: bool | None
    connections: int  # of one worker to the database
    lame_duck_seconds: int
    drain_seconds: int
    max_body_bytes: int
    metrics: bool
