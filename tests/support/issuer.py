"""An issuer of tokens on loopback: keys of every kind, and a key server that behaves as badly as a test asks."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from flask import Flask
from werkzeug.test import TestResponse

ORIGIN = "https://auth.example.com"
USER = "ada"
PRIVATE_KEYS: dict[str, Callable[[], Any]] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
}


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, but for these; None leaves one out."""
    now = int(time.time())
    good = {"sub": USER, "iat": now, "exp": now + 600, "iss": ORIGIN, "aud": ORIGIN}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def b64(data: bytes | str | object) -> str:
    """A part of a token: bytes as they are, anything else as JSON."""
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(header: object, payload: object, key: bytes) -> str:
    """An HS256 token as an attacker makes one: with any header and key."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), hashlib.sha256))}"


class Key:
    """A signing key and what is published of it."""

    def __init__(self, algorithm: str = "EdDSA", private: Any = None, **members: Any) -> None:
        self.private = private or PRIVATE_KEYS[algorithm]()
        self.algorithm = "EdDSA" if algorithm == "Ed448" else algorithm
        self._algorithm = jwt.get_algorithm_by_name(self.algorithm)
        self.jwk: dict[str, Any] = self._algorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk |= {"alg": self.algorithm, "kid": uuid4().hex, **members}
        self.jwk = {name: value for name, value in self.jwk.items() if value is not None and name != "key_ops"}
        self.jwk |= {"key_ops": members["key_ops"]} if "key_ops" in members else {}

    def sign(self, payload: object = None, **header: Any) -> str:
        """A token, of good claims unless others are given; `header` changes the good header, None leaves out."""
        good = {"alg": self.algorithm, "kid": self.jwk.get("kid")}
        header = {name: value for name, value in {**good, **header}.items() if value is not None}
        signed = f"{b64(header)}.{b64(claims() if payload is None else payload)}"
        return f"{signed}.{b64(self._algorithm.sign(signed.encode(), self.private))}"


Respond = Callable[[BaseHTTPRequestHandler], None]


def answer(body: bytes, status: int = 200, **headers: str) -> Respond:
    """Responds with this body; `headers` are written with underscores."""
    good = {"Content_Length": str(len(body))}

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {**good, **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def raw(*parts: bytes, pause: float = 0) -> Respond:
    """Responds with these bytes and nothing else, and a pause after each part."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        for part in parts:
            handler.wfile.write(part)
            time.sleep(pause)
        handler.close_connection = True

    return respond


class Server:
    """A key server. `keys` is what it publishes, `respond` how; `paths` is what it was asked for."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.respond: Respond = self.publish
        self.paths: list[str] = []
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.paths.append(self.path)
                server.respond(self)

            def log_message(self, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *args: object) -> None:  # the client may go at any time
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def publish(self, handler: BaseHTTPRequestHandler) -> None:
        answer(json.dumps({"keys": [key.jwk for key in self.keys]}).encode())(handler)

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        self.released.wait(20)

    def stop(self) -> None:
        """As a crashed one: connections are refused."""
        self.http.shutdown()
        self.http.server_close()


@contextmanager
def key_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        if server.http.socket.fileno() != -1:
            server.stop()
        thread.join(5)


def call(app: Flask, token: str, user: str = USER) -> TestResponse:
    """Ask for the user's tasks with a token."""
    return app.test_client().get(f"/api/{user}/tasks", headers={"Authorization": f"Bearer {token}"})
