"""Bare waitress with an app that does nothing: what no service on it can go below. Run with a port."""

import sys
from typing import Any

import waitress

BODY = b'{"status": "healthy", "service": "todo-api"}'


def app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]


if __name__ == "__main__":
    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=8, ident=None)
