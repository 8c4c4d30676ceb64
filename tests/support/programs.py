"""Programs that some tests need, and that may be missing; packages for Node; commands."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.locks import one_at_a_time


def needs(*programs: str) -> None:
    """Skip a test where a program is not installed; in CI, which installs them all, fail it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {', '.join(missing)}")


def installed_packages(folder: Path) -> Path:
    """The folder `node_modules` beside a lock file, installed from it: once, until that changes."""
    needs("node", "npm")
    packages, lock = folder / "node_modules", (folder / "package-lock.json").read_bytes()
    installed = packages / ".installed.json"
    with one_at_a_time("npm"):
        if not installed.exists() or installed.read_bytes() != lock:
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
            installed.write_bytes(lock)
    return packages


def run(*command: object, cwd: Path, seconds: int = 300, **environment: str) -> str:
    """What the command prints. It must end well, and in time."""
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
