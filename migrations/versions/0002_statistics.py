"""No statistics about `user_id`.

PostgreSQL expects no tasks of a user that its statistics lack, but a new user may have many. The list's index then
looks as good as the primary key, and finding one task reads all of that user's. Without statistics it expects a
two-hundredth of the table for any user, and uses the primary key.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE tasks ALTER COLUMN user_id SET STATISTICS 0")
        partitioned = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'tasks'::regclass"
        if not op.get_bind().execute(sa.text(partitioned)).scalar():  # a partition key cannot be altered
            # To the type that it has, which deletes the statistics made so far: they would never change again.
            op.execute("ALTER TABLE tasks ALTER COLUMN user_id TYPE varchar(255)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE tasks ALTER COLUMN user_id SET STATISTICS -1")
