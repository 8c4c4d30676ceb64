"""How soon clients of the five libraries see what was edited at another process of the server."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.apps import migrate
from tests.support.databases import Postgres, sqlite_url
from tests.support.offline import LIBRARIES, clients_of
from tests.support.service import Service, serving


class Place:
    """Two servers with one database, one for clients that edit and one for clients that watch."""

    def __init__(self, stack: ExitStack, folder: Path, url: URL) -> None:
        def server(name: str) -> Service:
            (folder / name).mkdir(parents=True)
            return stack.enter_context(serving(folder / name, url, WEB_CONCURRENCY=1))

        self.servers = [server("edited"), server("watched")]
        self.clients = stack.enter_context(clients_of(folder, self.servers[0].address, url))

    def writes(self) -> list[int]:
        """How many each server has answered."""
        return [sum(line.get("method") == "POST" for line in server.lines()) for server in self.servers]


@pytest.fixture
def places(postgres: Postgres, tmp_path: Path) -> Iterator[list[Place]]:
    with ExitStack() as stack:
        urls = [migrate(sqlite_url(tmp_path)), migrate(stack.enter_context(postgres.database()))]
        yield [Place(stack, tmp_path / url.drivername, url) for url in urls]


def test_each_of_twenty_edits_is_seen_within_one_and_a_half_seconds(places: list[Place]) -> None:
    for place in places:
        place.clients.start("live.edits", [server.address for server in place.servers])
    for place in places:
        for library, seconds in place.clients.end().items():
            assert max(seconds) < 1.5, (library, seconds)
        edited, watched = place.writes()
        assert edited >= 20 * len(LIBRARIES)
        assert watched == 0
