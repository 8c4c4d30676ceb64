"""What the start prints, and how many workers it starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.apps import settings
from tests.support.databases import sqlite_url
from tests.support.service import environment
from todo_api.platform.server.supervisor import usable_cpus
from todo_api.service import startup
from todo_api.settings import Settings


def test_the_greeting_tells_how_to_get_a_token_only_where_the_service_can_sign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "http://127.0.0.1:8000/docs" in startup.greeting(Settings())
    assert "flask --app wsgi token alice" in startup.greeting(Settings())
    assert "token" not in startup.greeting(settings(sqlite_url(tmp_path)))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.chdir(tmp_path)
    assert startup.flask_command() == ".venv/bin/flask"
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / ".venv/bin" / name))
    assert startup.flask_command() == "flask"


def test_the_command_of_the_greeting_works_in_the_folder_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = re.search("`(.*)`", startup.greeting(Settings()))
    assert command
    token = subprocess.run(command[1], shell=True, env=environment(), capture_output=True, text=True, check=True)
    assert token.stdout.startswith("ey")


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_the_cpus_are_those_that_the_container_may_use(
    files: dict[str, str], cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert usable_cpus(tmp_path) == cpus
