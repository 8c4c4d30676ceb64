"""An app's database: a request borrows a connection, and runs a statement or a transaction on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache, partial
from time import monotonic
from typing import Any, NoReturn

from sqlalchemy import Executable

from todo_api.platform.db.availability import POOL_WAIT_SECONDS, Availability, RolledBack, Unavailable, is_old_schema
from todo_api.platform.db.pool import Pool, Pooled, PoolExhausted
from todo_api.platform.db.postgresql import PostgreSQL
from todo_api.platform.db.sqlite import SQLite
from todo_api.platform.db.statements import Row, Statement
from todo_api.platform.waiting import run_in_thread

MAX_STATEMENTS = 1000
_in_transaction = ContextVar("in_transaction", default=False)
# Runs a clause with its parameters. Returns the rows.
Run = Callable[..., list[Row]]


class Database:
    """An app's database.

    A request uses it by one protocol, which `connection` carries out:

    - *admit*: while the database hangs, the request is turned away at once (Unavailable);
    - *take* a connection from the pool, waiting as long as others come back;
    - use it, then *give back* the connection; the database has *answered*;
    - if that *failed*, the connection is closed unless it is as good as new. An error that means an outage becomes
      Unavailable, one that means a bug on our side stays as it is. Nothing is tried again here.
    """

    def __init__(
        self, backend: PostgreSQL | SQLite, pool: Pool, availability: Availability, is_ready: Callable[[], bool]
    ) -> None:
        """`is_ready` returns, within 3 s, whether the database can be used and has its schema."""
        self.pool = pool
        self.is_ready = is_ready
        self._backend = backend
        self._availability = availability
        self._errors: tuple[type[Exception], ...] = (backend.dialect.loaded_dbapi.Error, PoolExhausted)
        # A clause is compiled on first use. The limit is for clauses that are made anew for each request.
        self._compiled = lru_cache(MAX_STATEMENTS)(partial(Statement, dialect=backend.dialect))

    def enter_worker(self) -> None:
        """Wait as a worker does from now on. Called after the fork, before the first connection is taken."""
        self.pool.enter_worker()
        self._backend.limit_waits()

    def run(self, clause: Executable, *, lock: Executable | None = None, **parameters: Any) -> list[Row]:
        """Run one statement, in autocommit and one round trip. Returns its rows. Raises Unavailable.

        `lock` is a statement that takes a lock first, in the same round trip and transaction, so that the clause sees
        what was committed before. SQLite, with one writer at a time, needs none.
        """
        prefix = self._backend.prefix
        if lock is not None and not self._backend.writes_block:
            prefix = f"{prefix}{self._compiled(lock).sql}; "
        with self.connection() as connection:
            return self._run(connection, prefix, clause, parameters)

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        """Several statements that take effect together or not at all. Yields what runs one. Raises Unavailable.

        Nothing else may run inside, and nothing after one of them failed, which rolls everything back: RuntimeError.
        """
        with self.connection() as connection:
            deadline = monotonic() + self._backend.statement_seconds  # one statement's limit, for all of them
            is_open = True

            def run(clause: Executable, **parameters: Any) -> list[Row]:
                nonlocal is_open
                if not is_open:
                    raise RuntimeError("the transaction has ended, or one of its statements has failed")
                is_open = False  # unless it succeeds
                limits = self._backend.limits(max(deadline - monotonic(), 0.001))
                rows = self._run(connection, limits, clause, parameters)
                is_open = True
                return rows

            self._execute(connection, self._backend.begin)
            _in_transaction.set(True)
            try:
                yield run
                if not is_open:  # PostgreSQL would roll back on COMMIT, without an error
                    raise RuntimeError("a statement of the transaction has failed")
            except BaseException:
                with suppress(Exception):  # the first error counts; a connection that is still in doubt is closed
                    self._execute(connection, "ROLLBACK")
                raise
            finally:
                is_open = False
                _in_transaction.set(False)
            self._execute(connection, "COMMIT")

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection of the driver's, borrowed by the protocol above."""
        if _in_transaction.get():  # it would not be part of it, and on SQLite wait for it
            raise RuntimeError("in a transaction, statements are run by the function that it yields")
        admitted = self._availability.admit()
        pooled: Pooled | None = None
        try:
            pooled = self._take(admitted)
            yield pooled.connection
        except self._errors as error:
            self._fail(error, pooled, admitted)
        except BaseException:
            if pooled:
                self.pool.give_back(pooled, keep=self._backend.is_as_good_as_new(pooled.connection))
            raise
        self.pool.give_back(pooled)
        self._availability.answered()

    def _run(self, connection: Any, prefix: str, clause: Executable, parameters: dict[str, Any]) -> list[Row]:
        statement = self._compiled(clause)
        bound = statement.bound(parameters)
        return statement.read(*self._execute(connection, prefix + statement.sql, bound, statement.writes))

    def _execute(self, connection: Any, sql: str, bound: Any = (), writes: bool = True) -> tuple[list[Row], Any]:
        """The rows, and the cursor's description of their columns."""

        def work() -> tuple[list[Row], Any]:
            cursor = connection.cursor()
            cursor.execute(sql, bound)
            return cursor.fetchall() if cursor.description else [], cursor.description

        return run_in_thread(work) if writes and self._backend.writes_block else work()

    def _take(self, admitted: float) -> Pooled:
        while True:
            try:
                return self.pool.take(POOL_WAIT_SECONDS)
            except PoolExhausted:
                if not self._availability.is_worth_waiting(admitted):
                    raise

    def _fail(self, error: Exception, pooled: Pooled | None, admitted: float) -> NoReturn:
        """Raise Unavailable, which is logged, or the error itself if it means a bug on our side."""
        is_bug = self._backend.is_bug(error) and not is_old_schema(error)
        is_answer = is_bug or is_old_schema(error) or self._backend.gave_up(error)
        if pooled:
            self.pool.give_back(pooled, keep=is_answer and self._backend.is_as_good_as_new(pooled.connection))
        if is_answer:
            self._availability.answered()
        else:
            self._availability.failed(admitted, error)
        if is_bug:
            raise error
        if is_answer:
            self._availability.report(error)
        raise (RolledBack if isinstance(error, self._backend.rolled_back) else Unavailable) from error
