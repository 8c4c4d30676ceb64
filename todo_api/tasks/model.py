"""The tables: tasks, with their limits and the indexes that lists read in order; revisions and tombstones."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Identity, Index, Integer, SmallInteger, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from todo_api.auth.user_id import MAX_LENGTH as USER_ID_LENGTH
from todo_api.platform.db.engine import Base
from todo_api.platform.db.types import TextList, UTCDateTime

KEY_LENGTH = 64
TITLE_LENGTH = 200
DESCRIPTION_LENGTH = 1000
MAX_PRIORITY = 3
TAG_LENGTH = 50
MAX_TAGS = 20
MAX_ID = 2**63 - 1
# In the order by `due`, stands for no date: after every date.
NO_DUE = "~"
# A list by default reads this order backwards: newest first.
ORDER = ("user_id", "created_at", "id")
_HAS_KEY = text("key IS NOT NULL")


class Task(Base):
    """A task of a user. Users live with the identity provider, so `user_id` references no table."""

    __tablename__ = "tasks"

    # SQLite assigns ids only in an INTEGER key.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)
    # Chosen by the client. Null: the key is the id as text.
    key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    user_id: Mapped[str] = mapped_column(String(USER_ID_LENGTH))
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    description: Mapped[str | None] = mapped_column(String(DESCRIPTION_LENGTH))
    completed: Mapped[bool] = mapped_column(Boolean)
    # A date, or a date and time on the user's own clock, as text, which sorts by time.
    due: Mapped[str | None] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    tags: Mapped[list[str] | None] = mapped_column(TextList(TAG_LENGTH))
    # Null also if version 1.0 or 1.1 completed the task: then `updated_at` is shown.
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # Set by triggers (migration 0003). Null in tasks from before 1.1: the id is used instead.
    revision: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint(f"length(user_id) BETWEEN 1 AND {USER_ID_LENGTH}", name="tasks_user_id_length"),
        CheckConstraint(f"length(title) BETWEEN 1 AND {TITLE_LENGTH}", name="tasks_title_length"),
        CheckConstraint(f"length(description) <= {DESCRIPTION_LENGTH}", name="tasks_description_length"),
        CheckConstraint(f"priority BETWEEN 0 AND {MAX_PRIORITY}", name="tasks_priority_range"),
        # Lists by creation, with or without a status, read one of these indexes from a position: no sort, no filter.
        Index("ix_tasks_all", *ORDER),
        # Not one index with `completed` in it: where most tasks have one status, PostgreSQL would use the one above and
        # filter, however many of the user's tasks that skips.
        Index("ix_tasks_pending", *ORDER, postgresql_where=text("NOT completed"), sqlite_where=text("completed = 0")),
        Index("ix_tasks_completed", *ORDER, postgresql_where=text("completed"), sqlite_where=text("completed = 1")),
        Index("ix_tasks_key", "user_id", "key", unique=True, postgresql_where=_HAS_KEY, sqlite_where=_HAS_KEY),
        # The other orders of a list.
        Index("ix_tasks_due", "user_id", func.coalesce(due, text(f"'{NO_DUE}'")), "id"),
        Index("ix_tasks_priority", "user_id", "priority", "id"),
        Index("ix_tasks_updated", "user_id", "updated_at", "id"),
        # The feed of changes.
        Index("ix_tasks_revision", "user_id", func.coalesce(revision, id)),
        # Without it SQLite reuses the id of a deleted last row.
        {"sqlite_autoincrement": True},
    )


class Counter(Base):
    """A user's last revision, and the revision up to which tombstones may have been purged (`horizon`)."""

    __tablename__ = "task_counters"

    user_id: Mapped[str] = mapped_column(String(USER_ID_LENGTH), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    horizon: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Tombstone(Base):
    """What is left of a deleted task, until it is purged."""

    __tablename__ = "task_tombstones"

    user_id: Mapped[str] = mapped_column(String(USER_ID_LENGTH), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    revision: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("ix_task_tombstones_key", "user_id", "key"),
        Index("ix_task_tombstones_revision", "user_id", "revision"),
    )
