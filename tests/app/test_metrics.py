"""`/metrics`: closed unless asked for, right over several workers."""

import json
import os
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.apps import make_app, migrated
from tests.support.databases import sqlite_url
from tests.support.errors import assert_error
from tests.support.processes import run_in_new_process
from tests.support.tokens import bearer
from todo_api.auth import tokens as auth
from todo_api.platform import metrics
from todo_api.platform.environment import SettingsError
from todo_api.settings import read_settings

TOKEN = "a-token-for-the-metrics"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def numbers(text: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    # Here, since a process of its own asks whether this is imported.
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def measured(tmp_path: Path) -> Flask:
    return migrated(make_app(sqlite_url(tmp_path), metrics_token=TOKEN))


def test_there_are_none_unless_a_token_is_set(anonymous: FlaskClient) -> None:
    assert_error(anonymous.get("/metrics", headers=BEARER), 404, "Not Found")


@pytest.mark.parametrize("given", [None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ä", TOKEN])
def test_without_the_token_it_is_401(measured: Flask, given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}
    response = measured.test_client().get("/metrics", headers=headers)
    assert_error(response, 401, "Not authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_short_token_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="METRICS_TOKEN must be at least 16 characters"):
        read_settings({"METRICS_TOKEN": "short"}, env_file="")


def test_requests_are_counted_and_timed_by_template_not_by_path(measured: Flask) -> None:
    client = measured.test_client()
    for title in ("One", "Two", ""):
        client.post("/api/alice/tasks", json={"title": title}, headers=bearer("alice"))
    client.get("/alice/secret")
    client.open("/health", method="BREW")
    response = client.get("/metrics", headers=BEARER)
    assert response.content_type.startswith("text/plain; version=")
    found = numbers(response.text)
    route = "/api/<user_id>/tasks"
    assert found["todo_requests_total", "POST", route, "201"] == 2
    assert found["todo_requests_total", "POST", route, "422"] == 1
    assert found["todo_requests_total", "GET", "", "404"] == 1
    assert found["todo_requests_total", "other", "", "405"] == 1
    assert found["todo_request_duration_seconds_count", "POST", route] == 3
    assert found["todo_request_duration_seconds_bucket", "+Inf", "POST", route] == 3
    assert found["todo_requests_in_flight",] == 1  # this one
    assert found["todo_db_connections_in_use",] == 0
    assert found["todo_db_connections_max",] == 8
    assert "alice" not in response.text


def test_fetches_of_the_key_set_are_counted(measured: Flask) -> None:
    client = measured.test_client()
    auth.token_cache(measured).verifier.fetches.update(ok=2, failed=1)
    client.get("/health")
    client.get("/health")
    found = numbers(client.get("/metrics", headers=BEARER).text)
    assert (found["todo_jwks_fetches_total", "ok"], found["todo_jwks_fetches_total", "failed"]) == (2, 1)


def print_whether_imported() -> None:
    import wsgi  # noqa: F401

    print("prometheus_client" in sys.modules)


def test_nothing_is_imported_for_them_unless_a_token_is_set(tmp_path: Path) -> None:
    assert run_in_new_process(print_whether_imported, folder=tmp_path).stdout == "False\n"
    assert run_in_new_process(print_whether_imported, folder=tmp_path, METRICS_TOKEN=TOKEN).stdout == "True\n"


def print_metrics() -> None:
    print(make_app("sqlite://", metrics_token=TOKEN).test_client().get("/metrics", headers=BEARER).text)


def test_they_are_whole_under_another_server_too(tmp_path: Path) -> None:
    shown = run_in_new_process(print_metrics, folder=tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)).stdout
    assert "todo_db_connections_max 8.0" in shown


def print_metrics_of_workers(url: str) -> None:
    """Those of two workers, each of which dies within a request, as does the one that replaces the second."""
    metrics.prepare()
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    app = make_app(url, metrics_token=TOKEN)
    app.add_url_rule("/die", view_func=lambda: os._exit(0))

    def die_within_a_request() -> None:
        app.test_client().get("/health")
        app.test_client().get("/die")

    def show() -> None:
        text = app.test_client().get("/metrics", headers=BEARER).text
        print(json.dumps([text, folder, [file.name for file in Path(folder).iterdir()]]), file=sys.stderr, flush=True)
        os._exit(0)

    for number, work in ((0, die_within_a_request), (1, die_within_a_request), (1, die_within_a_request), (0, show)):
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
        else:
            metrics.enter_worker(app, number)
            work()
            os._exit(1)


def test_workers_add_up_and_one_that_is_replaced_leaves_nothing_but_its_counts(tmp_path: Path) -> None:
    done = run_in_new_process(print_metrics_of_workers, f"sqlite:///{tmp_path}/todo.db", folder=tmp_path)
    text, folder, files = json.loads(done.stderr)
    samples = numbers(text)
    assert samples["todo_requests_total", "GET", "/health", "200"] == 3
    # Worker 1 died within a request, and this one is worker 0's.
    assert samples["todo_requests_in_flight",] == 2
    assert samples["todo_db_connections_max",] == 16
    assert {name.rpartition("_")[2] for name in files} == {"parent.db", "0.db", "1.db"}
    assert not Path(folder).exists()
