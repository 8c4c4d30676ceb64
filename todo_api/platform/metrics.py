"""`/metrics` for Prometheus, over all workers. Unless it is opened, nothing of this is imported or paid for."""

import atexit
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from flask import Flask, Response, request

from todo_api.platform.db.engine import database
from todo_api.platform.logs import Answer
from todo_api.platform.web.errors import ApiError

# Where prometheus-client looks for the folder in which the workers share their numbers.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")
# The name under which this process counts in a shared folder; empty where there is none.
_process_name: list[str] = []
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# From a statement on loopback to the longest that a request may take.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def prepare() -> None:
    """Make the folder that the workers share: in the parent, right before the first fork. It goes with the parent."""
    folder = tempfile.mkdtemp(prefix="metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    # prometheus-client reads it when it is imported.
    os.environ[FOLDER] = folder
    from prometheus_client import values

    # A worker's number in place of its process id, so that it goes on with the counters of the one it replaces, and
    # nothing is left behind for each that ended.
    _process_name[:] = ["parent"]
    values.ValueClass = values.MultiProcessValue(lambda: _process_name[0])
    atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def enter_worker(app: Flask, number: int) -> None:
    """Count as the worker of this number: right after each fork. What the one before had in flight ended with it."""
    if not _process_name:
        return
    from prometheus_client import multiprocess

    _process_name[:] = [str(number)]
    multiprocess.mark_process_dead(_process_name[0])
    app.extensions[__name__].begin()


class Count(NamedTuple):
    """A counter that is kept elsewhere: its values by outcome, which only grow."""

    name: str
    help: str
    values: Mapping[str, int]


def open_to(app: Flask, token: str, prefix: str, counts: Sequence[Count]) -> Callable[[Answer], None]:
    """Open `/metrics` to this token; what has to be called with each answer. `prefix` begins every name."""
    metrics = app.extensions[__name__] = Metrics(app, prefix, counts)
    if not _process_name:
        metrics.begin()
    expected = token.encode()

    def show() -> Response:
        """The numbers of all workers."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
            raise ApiError(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
        return metrics.show()

    app.add_url_rule("/metrics", view_func=show)
    app.wsgi_app = metrics.counting_in_flight(app.wsgi_app)  # type: ignore[method-assign]
    return metrics.observe


class Metrics:
    """The numbers of this process."""

    def __init__(self, app: Flask, prefix: str, counts: Sequence[Count]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._pool = database(app).pool
        self._lock = Lock()
        self._registry = registry = CollectorRegistry()
        route = ["method", "route"]
        requests = Counter(f"{prefix}_requests", "Requests answered.", [*route, "status"], registry=registry)
        durations = Histogram(
            f"{prefix}_request_duration_seconds", "Time to answer a request.", route, buckets=BUCKETS, registry=registry
        )
        gauge: dict[str, Any] = {"multiprocess_mode": "livesum", "registry": registry}
        self._in_flight = Gauge(f"{prefix}_requests_in_flight", "Requests being answered.", **gauge)
        self._used = 0
        self._in_use = Gauge(f"{prefix}_db_connections_in_use", "Pooled connections in use.", **gauge)
        self._max = Gauge(f"{prefix}_db_connections_max", "Connections that the pools may hold.", **gauge)
        # Each with the values that are counted already.
        self._counts: list[tuple[Any, Mapping[str, int], dict[str, int]]] = []
        for name, text, values in counts:
            counter = Counter(f"{prefix}_{name}", text, ["outcome"], registry=registry)
            for outcome in values:
                counter.labels(outcome)
            self._counts.append((counter, values, dict.fromkeys(values, 0)))

        @cache
        def children(method: str, route: str, status: int) -> tuple[Any, Any]:
            return requests.labels(method, route, status), durations.labels(method, route)

        # Bounded, since routes, statuses and METHODS are.
        self._children = children

    def begin(self) -> None:
        """In the process that serves, which may be another than the one that made the app."""
        self._max.set(self._pool.size)

    def counting_in_flight(self, app: Any) -> Any:
        """The WSGI app, with its requests counted while they are in it."""

        def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self._in_flight.inc()
            try:
                result: Iterable[bytes] = app(environ, start_response)
                return result
            finally:
                self._in_flight.dec()

        return counted

    def observe(self, answer: Answer) -> None:
        method = answer.method if answer.method in METHODS else "other"
        count, durations = self._children(method, answer.route or "", answer.status)
        count.inc()
        durations.observe(answer.seconds)
        if (used := self._pool.in_use) != self._used:
            self._used = used
            self._in_use.set(used)
        for counter, values, known in self._counts:
            if values != known:
                self._catch_up(counter, values, known)

    def _catch_up(self, counter: Any, values: Mapping[str, int], known: dict[str, int]) -> None:
        """Take over what another thread counted meanwhile."""
        with self._lock:
            for outcome, value in values.items():
                counter.labels(outcome).inc(value - known[outcome])
                known[outcome] = value

    def show(self) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
