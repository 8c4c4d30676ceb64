"""Flask as this service uses it: complete headers, a log line for each answer, and no host in its errors."""

import logging
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from inspect import CO_COROUTINE
from time import perf_counter
from typing import Any
from urllib.parse import quote

from flask import Flask, Request, request
from werkzeug.routing import MapAdapter

from todo_api.platform import logs
from todo_api.platform.parking import PARKED_SECONDS
from todo_api.platform.web.errors import REFUSED, Aborter
from todo_api.platform.web.headers import DEFAULT_HEADERS

log = logging.getLogger(__name__)

# The name that a client calls the service by, or an address, with a port.
HOST = re.compile(r"(?:([\w-]{1,63}\.)*[\w-]{1,63}\.?|\[[0-9a-f:.]+\])(:[0-9]+)?", re.ASCII | re.IGNORECASE)


class App(Flask):
    """Flask, whatever `Host` a client sends, with faults logged without the path, which names a user."""

    aborter_class = Aborter
    # Called with the log line of each answer.
    observers: Sequence[Callable[[Mapping[str, Any]], None]] = (logs.write,)
    # Whether the server is stopping; the server replaces it.
    is_draining: Callable[[], bool] = staticmethod(lambda: False)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """As Flask's, which checks `Host` four times, though no route depends on it. What it raises is answered."""
        if request is not None and REFUSED in request.environ:
            raise request.environ[REFUSED]
        if request is None or self.config["TRUSTED_HOSTS"] or self.url_map.host_matching:
            return super().create_url_adapter(request)
        environ = request.environ
        if not HOST.fullmatch(environ.get("HTTP_HOST", "")):
            environ["HTTP_HOST"] = ""  # as werkzeug has it for characters that no name holds
        return MapAdapter(
            self.url_map,
            server_name=environ["HTTP_HOST"].lower(),
            script_name=environ.get("SCRIPT_NAME", ""),
            subdomain=self.url_map.default_subdomain,
            url_scheme=environ["wsgi.url_scheme"],
            path_info=request.path,
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING"),  # kept by a redirect to a path with a slash
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Replaces Flask's, which inspects each function anew, ten times a request."""
        code = getattr(func, "__code__", None)
        is_plain = code is not None and not code.co_flags & CO_COROUTINE
        return func if is_plain else super().ensure_sync(func)

    def log_exception(self, exc_info: Any) -> None:
        log.error("unhandled exception", exc_info=exc_info)

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Adds headers to every answer, also to faults, and observes it. Costs a tenth of an `after_request`."""
        started = perf_counter()
        if not environ.get("QUERY_STRING", "").isascii():  # not encoded: werkzeug fails where it is not UTF-8
            environ["QUERY_STRING"] = quote(environ["QUERY_STRING"], safe=string.printable, encoding="latin-1")

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            request_id = logs.request_id(environ)
            given = dict(headers)  # a view may also spell a name in lower case
            headers += [
                header for header in DEFAULT_HEADERS if header[0] not in given and header[0].lower() not in given
            ]
            headers += (("Vary", "Origin"), (logs.REQUEST_ID_HEADER, request_id))
            # None after a copy of the request's context has ended.
            rule = (environ["werkzeug.request"] or request).url_rule
            method, code = environ["REQUEST_METHOD"], int(status[:3])
            parked = environ.get(PARKED_SECONDS, 0.0)
            line = {
                "time": datetime.now(UTC),
                "level": "info" if code < 500 else "error",
                "request_id": request_id,
                "method": method[:16],
                "route": _template(rule.rule) if rule else None,  # the path itself names a user
                "status": code,
                "duration_ms": round(1000 * (perf_counter() - started - parked), 2),
                "bytes": 0 if method == "HEAD" else int(given.get("Content-Length", 0)),
            }
            if parked:
                line["waited_ms"] = round(1000 * parked)
            for observe in self.observers:
                observe(line)
            return start_response(status, headers, exc_info)

        return super().wsgi_app(environ, start)


@cache
def _template(rule: str) -> str:
    """A rule without its converters."""
    return re.sub(r"<\w+:", "<", rule)
