"""Who waits for a change of a user's tasks: by the last revision that they know."""

from collections.abc import Collection

from sqlalchemy import select

from todo_api.platform.db.arrays import any_of
from todo_api.platform.db.engine import run
from todo_api.platform.parking import Watch
from todo_api.tasks.model import Counter

_counters = select(Counter.user_id, Counter.revision).where(any_of(Counter.user_id, "owners"))


def _revisions(owners: Collection[str]) -> dict[str, int]:
    return dict(run(_counters, owners=owners))


watch = Watch(_revisions)
