"""What the programs share: the generated client, the pages of a list, and checks that end a program with an error."""

import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from todo_client import AuthenticatedClient
from todo_client.api.tasks import list_tasks
from todo_client.models import ApiError, Changed, Deleted, ProblemType, Task, ValidationError
from todo_client.types import UNSET, Response, Unset

Found = TypeVar("Found")
Listing = Callable[..., Response[ApiError | ValidationError | list[Task]]]

address, unavailable, user_id, token, expired, forgotten = sys.argv[1:]


def answered(answer: Response[Any], kind: type[Found], status: int = 200) -> Found:
    assert isinstance(answer.parsed, kind), answer
    assert answer.status_code == status
    return answer.parsed


def refused(answer: Response[Any], status: int, detail: str) -> None:
    assert isinstance(answer.parsed, ApiError | Changed | Deleted), answer
    assert (answer.status_code, answer.parsed.status_code, answer.parsed.detail) == (status, status, detail)


def invalid(answer: Response[Any], *problems: tuple[str, ProblemType]) -> None:
    errors = answered(answer, ValidationError, 422).errors
    assert [(problem.field, problem.type_) for problem in errors] == list(problems)


def bearer(base_url: str, token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url, token, raise_on_unexpected_status=True)


api = bearer(address, token)
list_path = f"/api/{quote(user_id)}/tasks"
# With the filters and the order that a program adds.
listing = partial(list_tasks.sync_detailed, user_id, client=api)


def pages(listing: Listing) -> list[list[Task]]:
    """The pages of a list: each `Link` leads to the next."""
    found: list[list[Task]] = []
    cursor: str | Unset = UNSET
    while True:
        answer = listing(cursor=cursor)
        assert isinstance(answer.parsed, list), answer
        found.append(answer.parsed)
        link = re.fullmatch('<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        if link is None:
            return found
        [cursor] = parse_qs(urlsplit(link[1]).query)["cursor"]
