"""Programs that some tests need, and that may be missing; packages for Node."""

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
