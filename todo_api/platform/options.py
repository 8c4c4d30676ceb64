"""What the platform needs to know of the settings."""

from dataclasses import dataclass

from sqlalchemy import URL


@dataclass(frozen=True)
class DatabaseOptions:
    """Where the database is, and how long to wait for it. Without a schema the log advises the `upgrade_command`."""

    url: URL
    connections: int
    connect_seconds: int
    lock_seconds: int
    statement_seconds: int
    application_name: str
    upgrade_command: str


@dataclass(frozen=True)
class ServerOptions:
    """Where and how to serve; the machine decides on `workers` and `pin_workers` where they are None."""

    host: str
    port: int
    workers: int | None
    pin_workers: bool | None
    connections: int  # of one worker to the database
    lame_duck_seconds: int
    drain_seconds: int
    max_body_bytes: int
    metrics: bool
