"""Other people's tools on the OpenAPI document: validators, linters, and generated clients that run."""

import os
import sys
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from sqlalchemy import URL

from tests.support.apps import disposed, make_app, migrated
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


def copied(pattern: str, folder: Path) -> list[str]:
    """The names of the files in the folder of the clients that have such a name, once they are in this folder, too."""
    files = sorted(CLIENTS.glob(pattern))
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    return [file.name for file in files]


@pytest.fixture(scope="module")
def typescript_client(document_file: Path, node_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs, compiled under the strictest rules with the generated client's types."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(node_tools)
    (folder / "package.json").write_text('{"type": "module"}')
    copied("*.ts", folder)
    copied("tsconfig.json", folder)
    run(node_tools / ".bin/openapi-typescript", document_file, "-o", "schema.d.ts", cwd=folder)
    run(node_tools / ".bin/tsc", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def python_client(document_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the generated package `todo_client` and the programs, checked under mypy's strictest rules."""
    folder = tmp_path_factory.mktemp("python")
    programs = Path(sys.executable).parent  # with ruff, which formats what is generated
    command = (programs / "openapi-python-client", "generate", "--meta", "none", "--fail-on-warning")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    run(*command, "--path", document_file, "--output-path", folder / "todo_client", cwd=folder, PATH=path)
    # What is wrong within the generated package is its generator's.
    mypy = (sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent")
    run(*mypy, *copied("*.py", folder), cwd=folder)
    return folder


@pytest.fixture
def arguments(live_server: Service, unavailable_server: Service, live_database: URL) -> tuple[object, ...]:
    """The servers, a new user's id, a token and one that has expired, a checkpoint below a purged tombstone."""
    user = f"round {uuid4()}"
    tasks = f"/api/{quote(user)}/tasks"
    task = live_server.request("POST", tasks, {"title": "x"}, user_id=user).body
    live_server.request("DELETE", f"{tasks}/{task['id']}", user_id=user)
    with disposed(migrated(make_app(live_database))) as app:
        assert app.test_cli_runner().invoke(args=["purge", "--days", "0"]).exit_code == 0
    tokens = token(user), token(user, seconds=-60)
    return live_server.address, unavailable_server.address, user, *tokens, task["revision"]


each_program = pytest.mark.parametrize("program", ["round", "conditions", "lists", "sync"])


@each_program
def test_the_typescript_client_goes_the_whole_round(
    program: str, typescript_client: Path, arguments: tuple[object, ...]
) -> None:
    assert run("node", f"{program}.js", *arguments, cwd=typescript_client) == "the whole round\n"


@each_program
def test_the_python_client_goes_the_whole_round(
    program: str, python_client: Path, arguments: tuple[object, ...]
) -> None:
    assert run(sys.executable, f"{program}.py", *arguments, cwd=python_client) == "the whole round\n"
