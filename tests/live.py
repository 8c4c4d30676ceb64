"""The service as its users run it: `python wsgi.py` in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import jwt

from tests.support import SECRET, free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 30


def token(user_id: str, *, seconds: int = 3600, secret: str = SECRET) -> str:
    """A bearer token as the identity provider signs it; already expired where `seconds` is negative."""
    return jwt.encode({"sub": user_id, "exp": int(time.time()) + seconds}, secret, "HS256")


@contextmanager
def running(folder: Path, root: Path = ROOT, **settings: str) -> Iterator[str]:
    """The address of `python wsgi.py` in the root, with these settings, started in the folder: no `.env` counts."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "LAME_DUCK_SECONDS": "0", **settings}
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, root / "wsgi.py"], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            for _ in range(10 * START_SECONDS):
                if server.poll() is not None or answers(address):
                    break
                time.sleep(0.1)
            assert server.poll() is None, log.read_text()
            assert answers(address), f"no answer in {START_SECONDS} s"
            yield address
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=5):
            return True
    except (URLError, OSError):
        return False
