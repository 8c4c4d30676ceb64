"""HTTP to a server on loopback."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http.client import HTTPConnection, HTTPMessage, HTTPResponse
from typing import Any, NamedTuple

from tests.support.tokens import bearer


class Answer(NamedTuple):
    """What a server answered; a body of JSON is parsed."""

    status: int
    body: Any
    headers: HTTPMessage


class Client(AbstractContextManager["Client"]):
    """Sends requests over one connection, which it keeps; with a user's token, if it is a user's."""

    def __init__(self, port: int, user_id: str | None = None, seconds: float = 15) -> None:
        """`seconds` is how long it waits for a server that is silent."""
        self.connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
        self._headers = bearer(user_id) if user_id is not None else {}

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HTTPResponse:
        """The answer, whose body is still to be read. Dictionaries and lists are sent as JSON, iterators in chunks."""
        data = json.dumps(body) if isinstance(body, dict | list) else body
        declared = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, data, {**declared, **self._headers, **(headers or {})})
        return self.connection.getresponse()

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        response = self.send(method, path, body, headers)
        content = response.read()
        is_json = content and response.headers["Content-Type"] == "application/json"
        return Answer(response.status, json.loads(content) if is_json else content, response.headers)
