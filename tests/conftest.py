"""Fixtures: each database with its schema, an app on it, and a client for each user; servers and tools for all."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL
from xdist import is_xdist_worker

from tests.support.apps import client_for, disposed, empty, make_app, migrate, migrated
from tests.support.databases import Postgres, running_postgres, sqlite_url
from tests.support.locks import hold
from tests.support.ports import free_port
from tests.support.service import Service, serving
from tests.support.tasks import NOON
from todo_api.tasks import store

# More than there are processors, since many tests wait.
WORKERS = 4
# In this order, so that what takes long begins early and the quick files fill up the end.
# In `alone` no test has another beside it: others would have to wait for those that take long.
ORDER = [
    "programs/test_offline_clients.py",
    "server/test_waiting.py",
    "server/test_outages.py",
    "server/test_stop.py",
    "app/test_statements.py",
    "app/test_sync_migration.py",
    "programs",
    "server",
    "app",
    "alone",
]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs in several processes; for a part of it, starting them takes too long."""
    return WORKERS if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder, name = item.path.parts[-2:]
        return ORDER.index(file if (file := f"{folder}/{name}") in ORDER else folder)

    items.sort(key=rank)


@contextmanager
def lock_of_run(item: pytest.Item, *, alone: bool) -> Iterator[None]:
    """Hold it alone, or together with others that do not want it alone."""
    with ExitStack() as stack:
        if is_xdist_worker(item.session):  # its folder for temporary files is in the run's
            stack.enter_context(hold(Path(item.config.getoption("basetemp")).with_name("tests.lock"), alone=alone))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if item.path.parent.name == "alone":
        return (yield)
    with lock_of_run(item, alone=False):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What a test in `alone` measures, no other disturbs; its fixtures are made beside them."""
    if item.path.parent.name != "alone":
        return (yield)
    with lock_of_run(item, alone=True):
        return (yield)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with disposed(migrated(make_app(sqlite_url(tmp_path_factory.mktemp("sqlite"))))) as app:
        yield app


@pytest.fixture(scope="session")
def postgres_app(postgres: Postgres) -> Iterator[Flask]:
    with postgres.database() as url, disposed(migrated(make_app(url))) as app:
        yield app


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest) -> Flask:
    """The app with the settings of the tests, on an empty database of each kind."""
    app: Flask = request.getfixturevalue("sqlite_app" if request.param == "sqlite" else "postgres_app")
    empty(app)
    return app


@pytest.fixture
def database_url(app: Flask) -> URL:
    url: URL = app.config["SQLALCHEMY_DATABASE_URI"]
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database of the test's own without a schema, of each kind."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.database() as url:
            yield url


@pytest.fixture
def url(empty_url: URL) -> URL:
    """A database of the test's own with the schema, of each kind."""
    return migrate(empty_url)


@pytest.fixture
def client_of(app: Flask) -> Callable[[str], FlaskClient]:
    """Makes a client that sends a user's token."""
    return lambda user_id: client_for(app, user_id)


@pytest.fixture
def alice(app: Flask) -> FlaskClient:
    return client_for(app, "alice")


@pytest.fixture
def bob(app: Flask) -> FlaskClient:
    return client_for(app, "bob")


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The application's clock: stands at its last entry."""
    times = [NOON]
    monkeypatch.setattr(store, "now", lambda: times[-1])
    return times


@pytest.fixture(scope="session")
def sqlite_of_session(sqlite_app: Flask) -> URL:
    url: URL = sqlite_app.config["SQLALCHEMY_DATABASE_URI"]
    return url


@pytest.fixture
def api(sqlite_of_session: URL) -> Iterator[Callable[..., Flask]]:
    """Makes an app with other settings, for what no database can change: all on one SQLite."""
    with ExitStack() as apps:
        yield lambda **changes: apps.enter_context(disposed(make_app(sqlite_of_session, **changes)))


@pytest.fixture(scope="session")
def live_database(postgres: Postgres) -> Iterator[URL]:
    with postgres.database() as url:
        yield migrate(url)


@pytest.fixture(scope="session")
def live_server(live_database: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running server, for programs whose answers no database can change."""
    with serving(tmp_path_factory.mktemp("server"), live_database) as service:
        yield service


@pytest.fixture(scope="session")
def unavailable_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running server whose database does not answer."""
    url = URL.create("postgresql", host="127.0.0.1", port=free_port(), database="none")
    with serving(tmp_path_factory.mktemp("server"), url) as service:
        yield service


@pytest.fixture(scope="session")
def document_file(sqlite_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document in a file."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_bytes(sqlite_app.test_client().get("/openapi.json").data)
    return file
