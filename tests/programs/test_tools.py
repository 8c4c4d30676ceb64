"""Other people's tools on the OpenAPI document: validators, linters, and generated clients that run."""

import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.checkout import ROOT
from tests.support.programs import installed_packages, run
from tests.support.service import Service
from tests.support.tokens import token

CLIENTS = ROOT / "tests/programs/clients"


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """Where the tools and clients for Node are installed."""
    return installed_packages(CLIENTS)


def test_openapi_spec_validator_takes_the_document(document_file: Path, tmp_path: Path) -> None:
    assert "OK" in run(sys.executable, "-m", "openapi_spec_validator", document_file, cwd=tmp_path)


def test_redocly_finds_nothing_by_its_recommended_rules(document_file: Path, node_tools: Path, tmp_path: Path) -> None:
    command = (node_tools / ".bin/redocly", "lint", "--extends=recommended-strict", document_file)
    output = run(*command, cwd=tmp_path, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
    assert "Your API description is valid" in output


def test_spectral_finds_nothing_by_its_rules_for_openapi(document_file: Path, node_tools: Path, tmp_path: Path) -> None:
    command = (node_tools / ".bin/spectral", "lint", "--fail-severity=hint", "-r", CLIENTS / "spectral.yaml")
    assert "No results with a severity of 'hint' or higher found" in run(*command, document_file, cwd=tmp_path)


@pytest.fixture(scope="module")
def typescript_client(document_file: Path, node_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `round.js`, compiled under the strictest rules with the generated client's types."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(node_tools)
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("round.ts", "tsconfig.json"):
        (folder / name).write_bytes((CLIENTS / name).read_bytes())
    run(node_tools / ".bin/openapi-typescript", document_file, "-o", "schema.d.ts", cwd=folder)
    run(node_tools / ".bin/tsc", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def python_client(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the generated package `todo_client`."""
    folder = tmp_path_factory.mktemp("python")
    programs = Path(sys.executable).parent  # with ruff, which formats what is generated
    command = (programs / "openapi-python-client", "generate", "--meta", "none", "--fail-on-warning")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    run(*command, "--path", document_file, "--output-path", folder / "todo_client", cwd=folder, PATH=path)
    return folder


def round_arguments(live_server: Service, unavailable_server: Service) -> tuple[str, ...]:
    user = f"round {uuid4()}"
    return live_server.address, unavailable_server.address, user, token(user), token(user, seconds=-60)


def test_the_typescript_client_goes_the_whole_round(
    typescript_client: Path, live_server: Service, unavailable_server: Service
) -> None:
    arguments = round_arguments(live_server, unavailable_server)
    assert run("node", "round.js", *arguments, cwd=typescript_client) == "the whole round\n"


def test_the_python_client_goes_the_whole_round(
    python_client: Path, live_server: Service, unavailable_server: Service
) -> None:
    arguments = (CLIENTS / "round.py", *round_arguments(live_server, unavailable_server))
    output = run(sys.executable, *arguments, cwd=python_client, PYTHONPATH=str(python_client))
    assert output == "the whole round\n"
