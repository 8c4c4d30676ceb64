"""Conditional requests (RFC 9110, section 13). An entity tag is a number, the revision."""

import re
from collections.abc import Sequence

from flask import request

# A list of entity tags, with empty elements. Tags are compared weakly, since proxies weaken them.
_TAGS = re.compile(r'[ \t,]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|$))*')
_REVISION = re.compile('"(0|[1-9][0-9]{0,17})"')


def etag(revision: int) -> str:
    return f'"{revision}"'


def if_match() -> Sequence[int] | None:
    """The revisions that the request's `If-Match` lists; None: any."""
    return _revisions("If-Match")


def is_known(revision: int) -> bool:
    """Whether the request's `If-None-Match` lists the revision, or any."""
    if "If-None-Match" not in request.headers:
        return False
    known = _revisions("If-None-Match")
    return known is None or revision in known


def _revisions(header: str) -> Sequence[int] | None:
    """None without the header, or for `*`; empty if it is not a list of entity tags."""
    value = request.headers.get(header, "*").strip(" \t")
    if value == "*":
        return None
    return [int(revision) for revision in _REVISION.findall(value)] if _TAGS.fullmatch(value) else []
