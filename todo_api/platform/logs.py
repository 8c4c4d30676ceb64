"""The log, on standard output: a line of JSON each, or plain text on a terminal.

The line for each request is written directly; everything else goes through the standard library's logging.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from flask import has_request_context, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
REQUEST_ID_HEADER = "X-Request-ID"
STANDARD_OUTPUT = 1


def request_id(environ: dict[str, Any]) -> str:
    """The request's id: the client's `X-Request-ID` where that is well-formed, else a new one."""
    known: str | None = environ.get("todo_api.request_id")
    if known is None:
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ["todo_api.request_id"] = sent if REQUEST_ID.fullmatch(sent) else os.urandom(16).hex()
    return known


class Handler(logging.Handler):
    """Writes the standard library's log records in the form of the requests' lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit cost no request
            message = str(record.msg)
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message.encode(errors="backslashreplace").decode(),
        }
        if has_request_context():
            entry["request_id"] = request_id(request.environ)
        if record.exc_info and record.exc_info[1]:
            entry["traceback"] = _traceback(record.exc_info[1])
        elif record.stack_info:
            entry["traceback"] = record.stack_info
        write(entry)


def _traceback(error: BaseException | None) -> str:
    """An error's frames and class, not its text, which may quote a token, a body or a statement's parameters."""
    parts: list[str] = []
    seen: list[BaseException] = []
    while error and error not in seen:
        seen.append(error)
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.insert(0, f"{frames}{type(error).__module__}.{type(error).__qualname__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(parts)


def write(entry: Mapping[str, Any]) -> None:
    """Write one line, unless nobody reads fast enough."""
    descriptor, as_text = _output()
    if descriptor is None:
        return
    line = _text(entry) if as_text else orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    try:
        # One write a line, which the kernel keeps whole among all threads and workers (up to 4 KiB into a pipe).
        written = os.write(descriptor, line)
        if written < len(line):
            os.write(descriptor, b"\n")
    except OSError:
        return  # nobody reads it, or not fast enough: better to lose a line than to keep a request waiting


@cache
def _output() -> tuple[int | None, bool]:
    """Standard output's descriptor, and whether a person is reading."""
    if sys.__stdout__ is None:  # it was closed at the start, and its number may be another file's by now
        return None, False
    if os.isatty(STANDARD_OUTPUT):
        return STANDARD_OUTPUT, True
    os.set_blocking(STANDARD_OUTPUT, False)
    return STANDARD_OUTPUT, False


def _text(entry: Mapping[str, Any]) -> bytes:
    request_form = "{method} {route} {status} {duration_ms} ms {bytes} B {request_id}"
    form = "{level} {message}" if "message" in entry else request_form
    text = f"{entry['time']:%H:%M:%S} {form.format_map(entry)}"
    if "traceback" in entry:
        text += f" ({entry.get('request_id', '-')})\n{entry['traceback']}"
    return f"{text}\n".encode(errors="backslashreplace")


_handler = Handler()


def set_up(*, debug: bool) -> None:
    """Send this process's log records to standard output."""
    logging.getLogger().addHandler(_handler)  # a second call changes nothing
    logging.getLogger("todo_api").setLevel(logging.DEBUG if debug else logging.INFO)
