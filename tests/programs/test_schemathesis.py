"""Schemathesis: does the service do what its document says?"""

import sys
from pathlib import Path

from tests.support.checkout import ROOT
from tests.support.programs import run
from tests.support.service import Service
from tests.support.tokens import token


def test_schemathesis_finds_nothing_with_all_its_checks(live_server: Service, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("st")
    command = (
        program,
        "--config-file",
        ROOT / "tests/programs/schemathesis.toml",
        "run",
        "--checks",
        "all",
        "--no-color",
    )
    output = run(*command, f"{live_server.address}/openapi.json", cwd=tmp_path, API_TOKEN=token("alice"))
    assert "No issues found" in output
    assert "Tested: 11" in output
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in output, output
