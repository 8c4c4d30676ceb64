"""`/metrics` for Prometheus, over all workers. Without METRICS_TOKEN nothing of this is loaded, nor paid for."""

import atexit
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask, Response, request

from todo_api.auth import tokens as auth
from todo_api.platform import logs
from todo_api.platform.db.engine import database
from todo_api.platform.web.errors import ApiError
from todo_api.settings import Settings

# Where prometheus-client looks for the folder in which the workers share their numbers.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")
# Of several processes that share a folder, the one whose numbers this writes.
_whose: list[str] = []
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# From a statement on loopback to the longest that a request may take.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def prepare(settings: Settings) -> None:
    """Make the folder that the workers share: in the parent, right before the first fork. It goes with the parent."""
    if settings.metrics_token is None:
        return
    folder = tempfile.mkdtemp(prefix="todo-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    # prometheus-client reads it when it is imported.
    os.environ[FOLDER] = folder
    from prometheus_client import values

    # In place of the process id, so that a worker goes on with the counters of the one it replaces, and nothing is left
    # behind for each that died.
    _whose[:] = ["parent"]
    values.ValueClass = values.MultiProcessValue(lambda: _whose[0])
    atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def worker(app: Flask, number: int) -> None:
    """Count as the worker of this number: right after each fork. What the one before had in flight died with it."""
    if not _whose:
        return
    from prometheus_client import multiprocess

    _whose[:] = [str(number)]
    multiprocess.mark_process_dead(_whose[0])
    app.extensions[__name__].begin()


def open_to(app: Flask, token: str) -> Callable[[logs.Answer], None]:
    """Open `/metrics` to this token; what has to be told of each answer."""
    metrics = app.extensions[__name__] = Metrics(app)
    if not _whose:
        metrics.begin()
    expected = token.encode()

    def show() -> Response:
        """The numbers of all workers."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
            raise ApiError(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
        return metrics.show()

    app.add_url_rule("/metrics", view_func=show)
    app.wsgi_app = metrics.in_flight(app.wsgi_app)  # type: ignore[method-assign]
    return metrics.observe


class Metrics:
    """The numbers of this process."""

    def __init__(self, app: Flask) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        with app.app_context():
            self._pool = database().pool
        self._verifier = auth.verifier(app)
        self._lock = Lock()
        self._fetched = {"ok": 0, "failed": 0}
        self._registry = registry = CollectorRegistry()
        route = ["method", "route"]
        requests = Counter("todo_requests", "Requests answered.", [*route, "status"], registry=registry)
        durations = Histogram(
            "todo_request_duration_seconds", "Time to answer a request.", route, buckets=BUCKETS, registry=registry
        )
        gauge: dict[str, Any] = {"multiprocess_mode": "livesum", "registry": registry}
        self._in_flight = Gauge("todo_requests_in_flight", "Requests being answered.", **gauge)
        self._used = 0
        self._in_use = Gauge("todo_db_connections_in_use", "Pooled connections in use.", **gauge)
        self._max = Gauge("todo_db_connections_max", "Connections that the pools may hold.", **gauge)
        fetches = Counter("todo_jwks_fetches", "Fetches of the key set.", ["outcome"], registry=registry)
        self._fetches = {outcome: fetches.labels(outcome) for outcome in self._fetched}

        @cache
        def children(method: str, route: str, status: int) -> tuple[Any, Any]:
            return requests.labels(method, route, status), durations.labels(method, route)

        # Bounded, since routes, statuses and METHODS are.
        self._children = children

    def begin(self) -> None:
        """In the process that serves, which may be another than the one that made the app."""
        self._max.set(self._pool.size)

    def in_flight(self, app: Any) -> Any:
        """The WSGI app, with its requests counted while they are in it."""

        def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self._in_flight.inc()
            try:
                result: Iterable[bytes] = app(environ, start_response)
                return result
            finally:
                self._in_flight.dec()

        return counted

    def observe(self, answer: logs.Answer) -> None:
        method = answer.method if answer.method in METHODS else "other"
        count, durations = self._children(method, answer.route or "", answer.status)
        count.inc()
        durations.observe(answer.seconds)
        if (used := self._pool.in_use) != self._used:
            self._used = used
            self._in_use.set(used)
        self._count_fetches()

    def _count_fetches(self) -> None:
        """What a thread of the verifier's counted meanwhile; a shared secret fetches nothing."""
        fetches = getattr(self._verifier, "fetches", None)
        if fetches and any(fetches[outcome] != known for outcome, known in self._fetched.items()):
            with self._lock:
                for outcome, known in self._fetched.items():
                    self._fetches[outcome].inc(fetches[outcome] - known)
                    self._fetched[outcome] = fetches[outcome]

    def show(self) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
