"""Steps of a migration on PostgreSQL that let others read and write meanwhile."""

import time

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

# A wait for a lock on the table, and the pause in which others get theirs. Longer than PostgreSQL's `deadlock_timeout`
# of 1 s: only after that does it cancel an autovacuum that holds the table.
LOCK_SECONDS, PAUSE_SECONDS, TRIES = 1.2, 0.5, 120


def patiently(statement: str) -> None:
    """Run a statement that locks the table, without making others queue behind it for long."""
    for _ in range(TRIES):
        try:
            op.get_bind().exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            op.get_bind().exec_driver_sql(statement)
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != "55P03":  # lock_not_available
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            op.get_bind().exec_driver_sql("RESET lock_timeout")
            return
    raise TimeoutError(f"the table was in use for too long: {statement}")


def add_check(name: str, condition: str) -> None:
    """Add a CHECK to `tasks`. It reads the existing rows without keeping others from writing."""
    patiently(f"ALTER TABLE tasks DROP CONSTRAINT IF EXISTS {name}")
    patiently(f"ALTER TABLE tasks ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
    patiently(f"ALTER TABLE tasks VALIDATE CONSTRAINT {name}")


def make_index(unique: str, name: str, on: str) -> None:
    """Make an index on `tasks`. On a partitioned table PostgreSQL makes none concurrently: writers wait."""
    partitioned = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'tasks'::regclass"
    if op.get_bind().execute(sa.text(partitioned)).scalar():
        op.execute(f"CREATE {unique} INDEX IF NOT EXISTS {name} ON tasks {on}")
        return
    # An unfinished index is invalid, and IF NOT EXISTS would take it for done.
    invalid = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
    if op.get_bind().execute(sa.text(invalid), {"name": name}).scalar():
        op.execute(f"DROP INDEX CONCURRENTLY {name}")
    op.execute(f"CREATE {unique} INDEX CONCURRENTLY IF NOT EXISTS {name} ON tasks {on}")
