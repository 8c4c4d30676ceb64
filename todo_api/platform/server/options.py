"""What the server needs to know of the settings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerOptions:
    """Where and how to serve. `workers` and `pin_workers` are decided by the machine where they are None."""

    host: str
    port: int
    workers: int | None
    pin_workers: bool | None
    connections: int  # to the database, of one worker
    lame_duck_seconds: int
    drain_seconds: int
    max_body_bytes: int
    metrics: bool
