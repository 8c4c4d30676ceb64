"""`/metrics` for Prometheus, over all workers. Unless it is opened, prometheus-client is not imported."""

import atexit
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from flask import Flask, Response, request

from todo_api.platform.db.engine import database
from todo_api.platform.web.app import App
from todo_api.platform.web.errors import api_error
from todo_api.platform.web.headers import METHODS, WWW_AUTHENTICATE

# Where prometheus-client looks for the folder in which the workers share their numbers.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")
# The name under which this process counts in a shared folder; empty without one.
_process_name: list[str] = []
# From a statement on loopback to the longest that a request may take.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Count(NamedTuple):
    """A counter that is kept elsewhere: its values by outcome, which only grow."""

    name: str
    help: str
    values: Mapping[str, int]


class Level(NamedTuple):
    """A number that goes up and down elsewhere: `observe_by` gets what to call with each new value."""

    name: str
    help: str
    observe_by: Callable[[Callable[[int], object]], object]


def prepare() -> None:
    """Make the folder that the workers share, before the first fork. It is removed at the end, but not by SIGKILL."""
    # prometheus-client reads it when it is imported.
    folder = os.environ[FOLDER] = tempfile.mkdtemp(
        prefix="metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    )
    from prometheus_client import values

    # A worker's number instead of its process id, so that it goes on with the counters of the worker it replaces, and
    # ended workers leave no files behind.
    _process_name[:] = ["parent"]
    values.ValueClass = values.MultiProcessValue(lambda: _process_name[0])
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # a worker ends without what is registered here


def enter_worker(app: Flask, number: int) -> None:
    """Count as this worker. Called after each fork; requests in flight of the worker before ended with it."""
    if _process_name:
        from prometheus_client import multiprocess

        _process_name[:] = [str(number)]
        multiprocess.mark_process_dead(_process_name[0])
        app.extensions[__name__].begin()


def open_to(app: App, token: str, prefix: str, counts: Sequence[Count], levels: Sequence[Level]) -> None:
    """Open `/metrics` to this token. `prefix` begins every name."""
    metrics = app.extensions[__name__] = Metrics(app, prefix, counts, levels)
    if not _process_name:
        metrics.begin()
    expected = token.encode()

    @app.get("/metrics", endpoint="metrics")
    def show() -> Response:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
            raise api_error(401, "Not authenticated", {WWW_AUTHENTICATE: "Bearer"})
        return metrics.show()

    in_flight, answer = metrics.in_flight.track_inprogress(), app.wsgi_app

    def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with in_flight:
            return answer(environ, start_response)

    app.wsgi_app = counted  # type: ignore[method-assign]
    app.observers = (*app.observers, metrics.observe)


class Metrics:
    """The numbers of this process."""

    def __init__(self, app: Flask, prefix: str, counts: Sequence[Count], levels: Sequence[Level]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._pool = database(app).pool
        self._registry = CollectorRegistry()
        own: Any = {"namespace": prefix, "registry": self._registry}
        gauge: Any = partial(Gauge, multiprocess_mode="livesum", **own)
        route = ["method", "route"]
        requests = Counter("requests", "Requests answered.", [*route, "status"], **own)
        durations = Histogram("request_duration_seconds", "Time to answer a request.", route, buckets=BUCKETS, **own)
        # Bounded, since routes, statuses and METHODS are.
        self._labelled = cache(lambda *labels: (requests.labels(*labels), durations.labels(*labels[:2])))
        self.in_flight = gauge("requests_in_flight", "Requests being answered.")
        self._in_use = gauge("db_connections_in_use", "Pooled connections in use.")
        self._known_in_use = 0
        self._max = gauge("db_connections_max", "Connections that the pools may hold.")
        for level in levels:
            level.observe_by(gauge(level.name, level.help).set)
        # Each count, its children by outcome, and the values that they have so far.
        self._counts: list[tuple[Mapping[str, int], dict[str, Any], dict[str, int]]] = []
        for name, text, values in counts:
            counter = Counter(name, text, ["outcome"], **own)
            children = {outcome: counter.labels(outcome) for outcome in values}
            self._counts.append((values, children, dict.fromkeys(values, 0)))
        self._lock = Lock()

    def begin(self) -> None:
        """Called in the process that serves, which may not be the one that made the app."""
        self._max.set(self._pool.size)

    def observe(self, line: Mapping[str, Any]) -> None:
        """Count an answer, by its line in the log."""
        method = line["method"] if line["method"] in METHODS else "other"
        count, durations = self._labelled(method, line["route"] or "", line["status"])
        count.inc()
        durations.observe(line["duration_ms"] / 1000)
        if self._pool.in_use != self._known_in_use:
            self._known_in_use = self._pool.in_use
            self._in_use.set(self._known_in_use)
        for values, children, known in self._counts:
            if values != known:
                with self._lock:  # another thread counts meanwhile
                    for outcome, value in values.items():
                        children[outcome].inc(value - known[outcome])
                        known[outcome] = value

    def show(self) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
