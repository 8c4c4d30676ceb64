"""An app's database: how a request borrows a connection, and runs a statement or a transaction on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Dialect, Executable

from todo_api.platform.db.availability import POOL_WAIT_SECONDS, Availability, Unavailable, is_missing_table
from todo_api.platform.db.pool import Pool, Pooled, PoolExhausted
from todo_api.platform.db.postgresql import PostgreSQL
from todo_api.platform.db.sqlite import SQLite
from todo_api.platform.db.statements import Row, Statement
from todo_api.platform.waiting import run_in_thread

Backend = PostgreSQL | SQLite
MAX_STATEMENTS = 1000
Result = TypeVar("Result")


class Database:
    """An app's database.

    A request uses it by one protocol, which `connection` carries out:

    - *admit*: while the database hangs, the request is turned away at once (Unavailable);
    - *take* a connection from the pool, waited for as long as others come back;
    - use it, then *give back* the connection; the database has *answered*;
    - where that *failed*, a connection that is not as good as new is discarded, and an error that means an outage
      becomes Unavailable; one that means a bug on our side stays what it is. Nothing is ever tried again here.
    """

    def __init__(
        self, dialect: Dialect, backend: Backend, pool: Pool, availability: Availability, is_ready: Callable[[], bool]
    ) -> None:
        """`is_ready` answers, within 3 s, whether the database can be used and has its schema."""
        self.pool = pool
        self.backend = backend
        self.is_ready = is_ready
        self._availability = availability
        self._errors: tuple[type[Exception], ...] = (dialect.loaded_dbapi.Error, PoolExhausted)
        # A clause is compiled on its first use. The limit is for clauses that are made anew for each request.
        self.compiled = lru_cache(MAX_STATEMENTS)(partial(Statement, dialect=dialect))

    def enter_worker(self) -> None:
        """Wait as a worker does from now on: right after the fork, before the first connection is taken."""
        self.pool.enter_worker()
        self.backend.limit_waits()

    def run(self, clause: Executable, parameters: dict[str, Any]) -> list[Row]:
        """The rows of one statement, in autocommit and one round trip. Raises Unavailable."""
        statement = self.compiled(clause)
        bound = statement.bound(parameters)
        with self.connection() as connection:
            rows = self.execute(connection, statement, self.backend.prefix, bound)
        return statement.read(rows)

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Several statements that belong together: all of them take effect, or none. Raises Unavailable.

        The time limit of a statement is that of the whole transaction. Nothing is tried again.
        """
        with self.connection() as connection:
            transaction = Transaction(self, connection)
            try:
                yield transaction
                transaction.commit()
            except BaseException:
                with suppress(Exception):  # the first error counts, and a connection in doubt is discarded
                    self.backend.roll_back(connection)
                raise

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection of the driver's, borrowed by the protocol above."""
        admitted = self._availability.admit()
        pooled: Pooled | None = None
        try:
            pooled = self._take(admitted)
            yield pooled.connection
        except self._errors as error:
            raise self._failed(error, pooled, admitted) from error
        except BaseException:
            if pooled:
                self._return(pooled)
            raise
        self.pool.give_back(pooled)
        self._availability.answered()

    def execute(self, connection: Any, statement: Statement, prefix: str, bound: Any) -> list[Row]:
        """The driver's rows of a statement on a borrowed connection."""

        def work() -> list[Row]:
            cursor = connection.cursor()
            cursor.execute(prefix + statement.sql, bound)
            return cursor.fetchall() if cursor.description else []

        return self.blocking(work) if statement.writes else work()

    def blocking(self, work: Callable[[], Result]) -> Result:
        """Have something done that blocks the thread on SQLite."""
        return run_in_thread(work) if self.backend.writes_block else work()

    def _take(self, admitted: float) -> Pooled:
        while True:
            try:
                return self.pool.take(POOL_WAIT_SECONDS)
            except PoolExhausted:
                if not self._availability.is_worth_waiting(admitted):
                    raise

    def _failed(self, error: Exception, pooled: Pooled | None, admitted: float) -> Exception:
        """Unavailable, with a line in the log, or the error itself where it means a bug on our side."""
        is_bug = isinstance(error, self.backend.bugs) and not is_missing_table(error)
        is_answer = is_bug or is_missing_table(error) or self.backend.gave_up(error)
        if pooled:
            self._return(pooled) if is_answer else self.pool.discard(pooled)
        if is_answer:
            self._availability.answered()
        else:
            self._availability.failed(admitted, error)
        if is_bug:
            return error
        if is_answer:
            self._availability.report(error)
        return Unavailable()

    def _return(self, pooled: Pooled) -> None:
        """After an error."""
        if self.backend.is_as_good_as_new(pooled.connection):
            self.pool.give_back(pooled)
        else:
            self.pool.discard(pooled)


class Transaction:
    """Statements between BEGIN and COMMIT, on one connection; the first of them begins it."""

    def __init__(self, database: Database, connection: Any) -> None:
        self._database = database
        self._connection = connection
        self._backend = database.backend
        self._deadline = monotonic() + self._backend.statement_seconds
        self._begin: str | None = None

    def run(self, clause: Executable, **parameters: Any) -> list[Row]:
        """The rows of one statement. Raises what the driver raises, which `Database.transaction` explains."""
        statement = self._database.compiled(clause)
        bound = statement.bound(parameters)
        prefix = self._backend.limits(max(self._deadline - monotonic(), 0.001))
        if self._begin is None:
            self._begin = self._database.blocking(partial(self._backend.begin, self._connection))
            prefix = self._begin + prefix
        return statement.read(self._database.execute(self._connection, statement, prefix, bound))

    def commit(self) -> None:
        if self._begin is not None:
            self._database.blocking(partial(self._backend.commit, self._connection))
