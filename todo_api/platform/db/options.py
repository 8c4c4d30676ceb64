"""What the database needs to know of the settings."""

from dataclasses import dataclass

from sqlalchemy import URL


@dataclass(frozen=True)
class DatabaseOptions:
    """Where the database is, and how long to wait for it. `upgrade_command` is named in the log where tables miss."""

    url: URL
    connections: int
    connect_seconds: int
    lock_seconds: int
    statement_seconds: int
    application_name: str
    upgrade_command: str
