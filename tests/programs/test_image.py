"""The Dockerfile, as far as it can be judged without building it."""

import subprocess
import sys
from pathlib import Path

from tests.support.checkout import ROOT


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_holds_what_the_service_runs_on_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert kept == {"migrations", "requirements.txt", "todo_api", "wsgi.py"}
    assert all((ROOT / name).exists() for name in kept)
