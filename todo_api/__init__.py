"""The Todo API: tasks of a signed-in user, over HTTP, in SQLite or PostgreSQL."""

__version__ = "1.2.0"
