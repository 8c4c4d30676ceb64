"""What is stored: a user's tasks, with their limits and the indexes that the lists read in order."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Identity, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from todo_api.auth.user_id import MAX_LENGTH as USER_ID_LENGTH
from todo_api.platform.db.engine import Base
from todo_api.platform.db.types import UTCDateTime

TITLE_LENGTH = 200
DESCRIPTION_LENGTH = 1000
MAX_ID = 2**63 - 1
# The order of a list, which is read backwards: newest first.
ORDER = ("user_id", "created_at", "id")


class Task(Base):
    """One task of one user. Identities live with their provider, so `user_id` refers to no table."""

    __tablename__ = "tasks"

    # SQLite counts up by itself only in an INTEGER key.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(USER_ID_LENGTH))
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    description: Mapped[str | None] = mapped_column(String(DESCRIPTION_LENGTH))
    completed: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        CheckConstraint(f"length(user_id) BETWEEN 1 AND {USER_ID_LENGTH}", name="tasks_user_id_length"),
        CheckConstraint(f"length(title) BETWEEN 1 AND {TITLE_LENGTH}", name="tasks_title_length"),
        CheckConstraint(f"length(description) <= {DESCRIPTION_LENGTH}", name="tasks_description_length"),
        # A list is an index scan backwards from a position, with and without a status: no sort, no filter.
        Index("ix_tasks_all", *ORDER),
        # Not one index with `completed` in it: where most tasks have one status, PostgreSQL takes the one above instead
        # and filters, however many of the user's tasks that skips.
        Index("ix_tasks_pending", *ORDER, postgresql_where=text("NOT completed"), sqlite_where=text("completed = 0")),
        Index("ix_tasks_completed", *ORDER, postgresql_where=text("completed"), sqlite_where=text("completed = 1")),
        # Without it SQLite gives the id of a deleted last row again.
        {"sqlite_autoincrement": True},
    )
