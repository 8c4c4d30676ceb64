"""Tasks, with their limits and indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite has no time with a zone: whole microseconds since 1970.
    time = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.String(1000), nullable=True),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.CheckConstraint("length(user_id) BETWEEN 1 AND 255", name="tasks_user_id_length"),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 200", name="tasks_title_length"),
        sa.CheckConstraint("length(description) <= 1000", name="tasks_description_length"),
        sqlite_autoincrement=True,
    )
    order = ["user_id", "created_at", "id"]
    op.create_index("ix_tasks_all", "tasks", order)
    for name, on_postgresql, on_sqlite in (
        ("pending", "NOT completed", "completed = 0"),
        ("completed", "completed", "completed = 1"),
    ):
        where = {"postgresql_where": sa.text(on_postgresql), "sqlite_where": sa.text(on_sqlite)}
        op.create_index(f"ix_tasks_{name}", "tasks", order, **where)


def downgrade() -> None:
    op.drop_table("tasks")
