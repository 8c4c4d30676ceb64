"""Requests as bytes, for clients that send them in parts, or wrong."""

from tests.support.tokens import token

AUTHORIZATION = f"Authorization: Bearer {token('alice')}"


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: localhost", *headers, "\r\n"]).encode()


def head_of_post(body: bytes, *headers: str) -> bytes:
    """The head of alice's request to create a task by this body."""
    of_body = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return head("POST /api/alice/tasks HTTP/1.1", *of_body, AUTHORIZATION, *headers)
