"""Richer tasks: when they are due, priority, tags, when they were completed.

No row is rewritten: PostgreSQL keeps a constant default beside the table. Each step there is short or lets others read
and write meanwhile, and can be repeated after a failure, as in 0003.
"""

from alembic import op

from migrations.online import add_check, make_index, patiently

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ["due", "priority", "tags", "completed_at"]
INDEXES = {
    # No date comes last, on both databases.
    "ix_tasks_due": "(user_id, coalesce(due, '~'), id)",
    "ix_tasks_priority": "(user_id, priority, id)",
    "ix_tasks_updated": "(user_id, updated_at, id)",
}
# Version 1.1 completes and reopens tasks without setting `completed_at`: the value that it leaves there is cleared.
FUNCTION = """
CREATE OR REPLACE FUNCTION task_forget_completion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.completed_at := NULL;
    RETURN NEW;
END $$
"""
TRIGGER = """
DROP TRIGGER IF EXISTS task_flipped ON tasks;
CREATE TRIGGER task_flipped BEFORE UPDATE ON tasks FOR EACH ROW WHEN (
    NEW.completed_at IS NOT NULL AND NEW.completed <> OLD.completed AND NEW.completed_at = OLD.completed_at
) EXECUTE FUNCTION task_forget_completion()
"""
SQLITE_TRIGGER = """
CREATE TRIGGER task_flipped AFTER UPDATE ON tasks WHEN
    NEW.completed_at IS NOT NULL AND NEW.completed <> OLD.completed AND NEW.completed_at = OLD.completed_at
BEGIN UPDATE tasks SET completed_at = NULL WHERE id = NEW.id; END
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for column in (
            "due VARCHAR(16) CONSTRAINT tasks_due_form CHECK "
            "(due GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]' "
            "OR due GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]')",
            "priority SMALLINT NOT NULL DEFAULT 0 CONSTRAINT tasks_priority_range CHECK (priority BETWEEN 0 AND 3)",
            "tags TEXT CONSTRAINT tasks_tags_number CHECK (json_array_length(tags) <= 20)",
            "completed_at BIGINT",
        ):
            op.execute(f"ALTER TABLE tasks ADD COLUMN {column}")
        for name, on in INDEXES.items():
            op.execute(f"CREATE INDEX {name} ON tasks {on}")
        op.execute(SQLITE_TRIGGER)
        return
    with op.get_context().autocommit_block():
        patiently(
            """ALTER TABLE tasks
            ADD COLUMN IF NOT EXISTS due varchar(16) COLLATE "C",
            ADD COLUMN IF NOT EXISTS priority smallint NOT NULL DEFAULT 0,
            ADD COLUMN IF NOT EXISTS tags varchar(50)[],
            ADD COLUMN IF NOT EXISTS completed_at timestamptz"""
        )
        op.get_bind().exec_driver_sql(FUNCTION)
        patiently(TRIGGER)
        add_check("tasks_due_form", r"due ~ '^\d{4}-[01]\d-[0-3]\d(T[0-2]\d:[0-5]\d)?$'")
        add_check("tasks_priority_range", "priority BETWEEN 0 AND 3")
        add_check(
            "tasks_tags_number",
            "cardinality(tags) <= 20 AND array_position(tags, '') IS NULL AND array_position(tags, NULL) IS NULL",
        )
        for name, on in INDEXES.items():
            make_index("", name, on)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER task_flipped")
        for name in INDEXES:
            op.execute(f"DROP INDEX {name}")
        for column in COLUMNS:
            op.execute(f"ALTER TABLE tasks DROP COLUMN {column}")
        return
    with op.get_context().autocommit_block():
        patiently("DROP TRIGGER IF EXISTS task_flipped ON tasks")
        # With the columns go their indexes and constraints.
        patiently(f"ALTER TABLE tasks {', '.join(f'DROP COLUMN IF EXISTS {column}' for column in COLUMNS)}")
        op.execute("DROP FUNCTION IF EXISTS task_forget_completion")
