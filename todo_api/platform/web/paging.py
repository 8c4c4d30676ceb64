"""A list as pages: a few rows at a time, and a `Link` to the next."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

from flask import request

Row = TypeVar("Row")


class Page(NamedTuple, Generic[Row]):
    """The rows of one page, and whether there are more behind them."""

    rows: Sequence[Row]
    has_more: bool


def read_page(read: Callable[[int], Sequence[Row]], limit: int) -> Page[Row]:
    """At most `limit` rows; `read` gets how many to ask for: one more, which shows whether there is a next page."""
    rows = read(limit + 1)
    return Page(rows[:limit], len(rows) > limit)


def link_to_next(path: str, repeated: Sequence[str], **position: object) -> str:
    """The value of `Link` (RFC 8288), relative to the server, so that no `Host` counts.

    Those of the current query's parameters that are `repeated` stay as they were sent, the last of duplicates.
    """
    query = {name: request.args.getlist(name)[-1] for name in repeated if name in request.args}
    return f'<{path}?{urlencode({**query, **position})}>; rel="next"'
