"""No statistics about owners.

PostgreSQL expects no tasks of a user whom its statistics do not know yet, who may just have made many. The list's index
then looks as good to it as the primary key, and one task is found by going through all of that user's. Without
statistics it expects a two-hundredth of the table, of everybody, and takes the key.
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
        if not op.get_bind().execute(sa.text(partitioned)).scalar():  # whose key may not be altered
            # To the type that it has, which forgets the statistics made so far: they would stay as they are for ever.
            op.execute("ALTER TABLE tasks ALTER COLUMN user_id TYPE varchar(255)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE tasks ALTER COLUMN user_id SET STATISTICS -1")
