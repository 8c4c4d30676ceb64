"""Sync: keys and revisions of tasks, a counter for each user, and tombstones of what was deleted.

No row of `tasks` is rewritten: in a task from before, the `id` stands for both. Triggers give every change a revision,
also one made outside this service, and leave a tombstone for every delete. On PostgreSQL each step is short or lets
others read and write meanwhile, and can be repeated after a failure. Only the indexes of a partitioned table lock out
writers while they are made: PostgreSQL cannot make them otherwise.
"""

import sqlalchemy as sa
from alembic import op

from migrations.online import add_check, make_index, patiently

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

USERS_A_STEP = 2000
KEY = "^[0-9]*[A-Za-z._~-][A-Za-z0-9._~-]*$"
NOW = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION next_task_revision(owner varchar) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE taken bigint;
BEGIN
    UPDATE task_counters SET revision = greatest(revision + 1, {NOW}) WHERE user_id = owner
        RETURNING revision INTO taken;
    IF NOT FOUND THEN
        INSERT INTO task_counters AS known (user_id, revision) VALUES (owner, {NOW})
        ON CONFLICT (user_id) DO UPDATE SET revision = greatest(known.revision + 1, {NOW})
        RETURNING known.revision INTO taken;
    END IF;
    RETURN taken;
END $$;

CREATE OR REPLACE FUNCTION task_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := next_task_revision(NEW.user_id);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION task_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A batch has written its own.
    IF NOT EXISTS (SELECT FROM task_tombstones WHERE user_id = OLD.user_id AND id = OLD.id) THEN
        INSERT INTO task_tombstones (user_id, id, key, revision, deleted_at) VALUES
        (OLD.user_id, OLD.id, coalesce(OLD.key, OLD.id::text), next_task_revision(OLD.user_id), clock_timestamp());
    END IF;
    RETURN NULL;
END $$;
"""
TRIGGERS = {
    "task_inserted": "BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.revision IS NULL) EXECUTE FUNCTION task_changed()",
    "task_updated": "BEFORE UPDATE ON tasks FOR EACH ROW WHEN (NEW.revision IS NULL OR NEW.revision = OLD.revision) "
    "EXECUTE FUNCTION task_changed()",
    "task_deleted": "AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION task_deleted()",
}
BUMP = f"""
    INSERT INTO task_counters (user_id, revision) VALUES (%s.user_id, {SQLITE_NOW})
    ON CONFLICT (user_id) DO UPDATE SET revision = max(revision + 1, {SQLITE_NOW});"""
STORE = """
    INSERT INTO task_counters (user_id, revision) VALUES (NEW.user_id, NEW.revision)
    ON CONFLICT (user_id) DO UPDATE SET revision = max(revision, NEW.revision);"""
ADOPT = """
    UPDATE tasks SET revision = (SELECT revision FROM task_counters WHERE user_id = NEW.user_id) WHERE id = NEW.id;"""
# Our writes set the revision, and a batch's delete has left its tombstone; other writes get theirs here.
SQLITE_TRIGGERS = {
    "task_inserted": f"AFTER INSERT ON tasks WHEN NEW.revision IS NULL BEGIN {BUMP % 'NEW'} {ADOPT} END",
    "task_inserted_with": f"AFTER INSERT ON tasks WHEN NEW.revision IS NOT NULL BEGIN {STORE} END",
    "task_updated": f"AFTER UPDATE ON tasks WHEN NEW.revision IS OLD.revision BEGIN {BUMP % 'NEW'} {ADOPT} END",
    "task_updated_with": f"AFTER UPDATE ON tasks WHEN NEW.revision IS NOT OLD.revision BEGIN {STORE} END",
    "task_deleted": f"""AFTER DELETE ON tasks
    WHEN NOT EXISTS (SELECT 1 FROM task_tombstones WHERE user_id = OLD.user_id AND id = OLD.id)
    BEGIN {BUMP % "OLD"}
    INSERT INTO task_tombstones (user_id, id, key, revision, deleted_at)
    VALUES (OLD.user_id, OLD.id, coalesce(OLD.key, CAST(OLD.id AS TEXT)),
        (SELECT revision FROM task_counters WHERE user_id = OLD.user_id), {SQLITE_NOW} * 1000);
    END""",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE tasks ADD COLUMN revision BIGINT")
        op.execute(
            "ALTER TABLE tasks ADD COLUMN key VARCHAR(64) CONSTRAINT tasks_key_form CHECK "
            "(length(key) BETWEEN 1 AND 64 AND key NOT GLOB '*[^A-Za-z0-9._~-]*' AND key GLOB '*[^0-9]*')"
        )
        make_tables()
        op.execute("CREATE UNIQUE INDEX ix_tasks_key ON tasks (user_id, key) WHERE key IS NOT NULL")
        op.execute("CREATE INDEX ix_tasks_revision ON tasks (user_id, coalesce(revision, id))")
        for name, trigger in SQLITE_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {trigger}")
        op.execute("INSERT INTO task_counters (user_id, revision) SELECT user_id, max(id) FROM tasks GROUP BY user_id")
        return
    with op.get_context().autocommit_block():
        if not op.get_bind().execute(sa.text("SELECT to_regclass('task_counters')")).scalar():
            make_tables()
        patiently("ALTER TABLE tasks ADD COLUMN IF NOT EXISTS key varchar(64)")
        patiently("ALTER TABLE tasks ADD COLUMN IF NOT EXISTS revision bigint")
        op.get_bind().exec_driver_sql(FUNCTIONS)
        for name, trigger in TRIGGERS.items():
            # In one transaction, so that no change slips through between the two.
            patiently(f"DROP TRIGGER IF EXISTS {name} ON tasks; CREATE TRIGGER {name} {trigger}")
        make_counters()
        add_check("tasks_key_form", f"key ~ '{KEY}'")
        make_index("UNIQUE", "ix_tasks_key", "(user_id, key) WHERE key IS NOT NULL")
        make_index("", "ix_tasks_revision", "(user_id, coalesce(revision, id))")


def make_tables() -> None:
    at = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    op.create_table(
        "task_counters",
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "task_tombstones",
        sa.Column("user_id", sa.String(255), primary_key=True),
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", at, nullable=False),
    )
    op.create_index("ix_task_tombstones_key", "task_tombstones", ["user_id", "key"])
    op.create_index("ix_task_tombstones_revision", "task_tombstones", ["user_id", "revision"])
    if op.get_bind().dialect.name == "postgresql":
        # As for tasks (0002): without statistics about users, every user's rows are found by an index.
        for table in ("task_counters", "task_tombstones"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN user_id SET STATISTICS 0")


def make_counters() -> None:
    """Give each existing user a counter, some at a time: a user's first change may have to wait for a step."""
    op.execute("SET enable_hashagg = off; SET enable_seqscan = off; SET enable_sort = off")
    step = sa.text(
        f"""
        WITH users AS (
            SELECT user_id, max(id) AS id FROM tasks WHERE user_id > :last
            GROUP BY user_id ORDER BY user_id LIMIT {USERS_A_STEP}
        ), known AS (
            INSERT INTO task_counters (user_id, revision) SELECT user_id, id FROM users ON CONFLICT DO NOTHING
        ) SELECT max(user_id) FROM users
        """
    )
    last: str | None = ""
    while last is not None:
        last = op.get_bind().execute(step, {"last": last}).scalar()
    op.execute("RESET enable_hashagg; RESET enable_seqscan; RESET enable_sort")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        for index in ("ix_tasks_key", "ix_tasks_revision"):
            op.execute(f"DROP INDEX {index}")
        op.execute("ALTER TABLE tasks DROP COLUMN key")
        op.execute("ALTER TABLE tasks DROP COLUMN revision")
    else:
        with op.get_context().autocommit_block():
            for name in TRIGGERS:
                patiently(f"DROP TRIGGER IF EXISTS {name} ON tasks")
            # With the columns go their indexes and the constraint.
            patiently("ALTER TABLE tasks DROP COLUMN IF EXISTS key, DROP COLUMN IF EXISTS revision")
            op.execute("DROP FUNCTION IF EXISTS task_deleted, task_changed, next_task_revision")
    for table in ("task_tombstones", "task_counters"):
        op.execute(f"DROP TABLE IF EXISTS {table}")
