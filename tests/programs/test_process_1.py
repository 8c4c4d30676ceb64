"""The server as process 1, as in a container; `unshare` makes it that."""

import os
import signal
from pathlib import Path

from tests.support.databases import sqlite_url
from tests.support.processes import children
from tests.support.programs import needs
from tests.support.service import serving
from tests.support.waiting import wait_until


def test_as_process_1_it_serves_reaps_and_stops(tmp_path: Path) -> None:
    needs("unshare")
    before = ("unshare", "--fork", "--kill-child", "--pid", "--mount-proc")
    with serving(tmp_path, sqlite_url(tmp_path), before=before) as service:
        [service.pid] = children(service.process.pid)
        [worker] = service.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: service.workers() not in ([worker], []) and service.is_up())
        assert not Path(f"/proc/{worker}").exists()
        assert service.stop() == 0
