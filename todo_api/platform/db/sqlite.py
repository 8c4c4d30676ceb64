"""SQLite: a file on a local disk, in WAL mode, with one writer at a time."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect

from todo_api.platform.db.pool import Pooled
from todo_api.platform.options import DatabaseOptions

# How long a write waits for those before it. Eight need far less, and a request must end within ten seconds.
BUSY_SECONDS = 8
BUGS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.NotSupportedError)


class SQLite:
    """The parts that differ by database: connecting, the meaning of errors."""

    # A write blocks its thread while another process writes, and until it is on the disk.
    writes_block = True
    begin = "BEGIN IMMEDIATE"
    prefix = ""
    rolled_back: tuple[type[Exception], ...] = ()

    def __init__(self, dialect: Dialect, options: DatabaseOptions) -> None:
        self.dialect = dialect
        self.statement_seconds = options.statement_seconds
        self._arguments: Any
        self._arguments, keywords = dialect.create_connect_args(options.url)
        self._keywords: Any = {**keywords, "timeout": BUSY_SECONDS, "isolation_level": None}

    def connect(self) -> Any:
        connection = sqlite3.connect(*self._arguments, **self._keywords)
        # FULL: a write that was acknowledged survives a power cut.
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def limit_waits(self) -> None:
        """Nothing to do: a file answers."""

    def limits(self, seconds: float) -> str:
        """None: see BUSY_SECONDS."""
        return ""

    def is_usable(self, pooled: Pooled, lost: float) -> bool:
        return True

    def is_bug(self, error: Exception) -> bool:
        """Whether an error is our fault, such as SQL that cannot be compiled (SQLITE_ERROR)."""
        return isinstance(error, BUGS) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR

    def gave_up(self, error: Exception) -> bool:
        """Whether another process was writing for too long; this one can still read."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY

    def is_as_good_as_new(self, connection: Any) -> bool:
        """Never after an error: replacing it costs nothing."""
        return False

    def ask(self, question: str, deadline: float, seconds: int) -> None:
        """Run SQL on a connection of its own. Raises sqlite3.Error."""
        # As a URI, so that no file is made if there is none.
        uri = f"{Path(self._arguments[0]).as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=seconds / 2)) as connection:
            for statement in question.split("; "):
                connection.execute(statement)
