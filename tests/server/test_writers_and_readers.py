"""Two workers, eight writers and four readers of the feed: no change is missed, none comes out of order."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.soak.sync import write_and_read
from tests.support.service import serving


@pytest.mark.parametrize("kill", [False, True], ids=["", "a worker killed each second"])
def test_readers_of_the_feed_have_all_that_writers_wrote(url: URL, kill: bool, tmp_path: Path) -> None:
    with serving(tmp_path, url, WEB_CONCURRENCY=2) as service:
        report = write_and_read(service, 3, kill=kill)
    assert report["problems"] == []
    assert report["changes seen"] > 100
    assert (report["killed"] > 0, report["cut"] > 0) == (kill, kill)
