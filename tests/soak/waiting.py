"""Many clients that wait for changes at once, without a thread for each."""

import socket
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple

from tests.support.tokens import bearer

# As many as one user may have waiting.
OF_ONE_USER = 10


class Waits(NamedTuple):
    """What became of them: answered with an empty page, and everything else."""

    answered: int
    others: list[str]


class Waiting(AbstractContextManager["Waiting"]):
    """So many connections, each of which has sent a request that waits 25 s for a change that does not come."""

    def __init__(self, port: int, count: int) -> None:
        self._sockets = []
        for number in range(count):
            user = f"waiting-{number // OF_ONE_USER}"
            request = [
                f"GET /api/{user}/tasks/changes?since=1&wait=25 HTTP/1.1",
                "Host: localhost",
                f"Authorization: {bearer(user)['Authorization']}",
            ]
            client = socket.create_connection(("127.0.0.1", port), 30)
            client.sendall("\r\n".join([*request, "", ""]).encode())
            self._sockets.append(client)

    def __exit__(self, *error: object) -> None:
        for client in self._sockets:
            client.close()

    def answers(self) -> Waits:
        """Read what each was answered, until its connection ends."""
        answers = [_read(client) for client in self._sockets]
        others = [
            answer
            for answer in answers
            if not (answer.startswith("HTTP/1.1 200 ") and answer.endswith('{"changes":[],"next":1,"has_more":false}'))
        ]
        return Waits(len(answers) - len(others), others)


def _read(client: socket.socket) -> str:
    received = b""
    with suppress(OSError):
        while chunk := client.recv(65536):
            received += chunk
    return received.decode()
