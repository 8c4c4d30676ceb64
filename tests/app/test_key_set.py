"""Published keys: fetched, rotated and removed, and a provider that is down, slow or hostile."""

import datetime
import ipaddress
import json
import logging
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask
from sqlalchemy import URL

from tests.support.apps import make_app
from tests.support.errors import assert_error
from tests.support.issuer import ORIGIN, Key, Server, answer, call, claims, key_server, raw
from tests.support.ports import free_port
from tests.support.processes import run_in_new_process
from tests.support.waiting import wait_until
from todo_api.auth import key_set
from todo_api.auth import tokens as auth
from todo_api.auth.claims import refuse_invalid

UNKNOWN = "Invalid token: unknown key"


@pytest.fixture
def server() -> Iterator[Server]:
    with key_server() as server:
        server.keys = [Key()]
        yield server


@pytest.fixture
def api_at(api: Callable[..., Flask]) -> Callable[[str], Flask]:
    def api_at(url: str) -> Flask:
        return api(
            better_auth_secret=None,
            better_auth_jwks_url=f"{url}/api/auth/jwks",
            jwt_issuer=ORIGIN,
            jwt_audience=(ORIGIN,),
        )

    return api_at


@pytest.fixture
def app(api_at: Callable[[str], Flask], server: Server) -> Flask:
    return api_at(server.url)


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Lets time pass for the app, at once."""
    passed = 0.0
    monkeypatch.setattr(key_set, "monotonic", lambda: time.monotonic() + passed)
    with time_machine.travel(time.time(), tick=True) as clock:

        def wait(seconds: float) -> None:
            nonlocal passed
            passed += seconds
            clock.shift(seconds)

        yield wait


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch has a second instead of three, for quick tests."""
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 1.0)


def fetching() -> list[threading.Thread]:
    """The threads that fetch keys now."""
    return [thread for thread in threading.enumerate() if thread.name == "key-set"]


@pytest.fixture(autouse=True)
def no_thread_is_left(server: Server) -> Iterator[None]:
    yield
    server.released.set()
    wait_until(lambda: not fetching())


def fetches(app: Flask) -> dict[str, int]:
    return auth.token_cache(app).verifier.fetches


def forever(**changes: Any) -> dict[str, Any]:
    return claims(exp=int(time.time()) + 10**6, **changes)


def statuses(app: Flask, tokens: list[str]) -> list[int]:
    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(lambda token: call(app, token).status_code, tokens))


# Keys


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed448", "ES256", "ES384", "ES512", "RS256", "PS256"])
def test_a_key_of_each_algorithm_verifies_its_tokens(app: Flask, server: Server, algorithm: str) -> None:
    server.keys = [Key(algorithm)]
    assert call(app, server.keys[0].sign()).status_code == 200


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed448", "ES256", "ES384", "ES512", "RS256"])
def test_a_key_without_an_algorithm_has_that_of_its_kind(app: Flask, server: Server, algorithm: str) -> None:
    server.keys = [Key(algorithm, alg=None, use="sig", key_ops=["verify"])]
    assert call(app, server.keys[0].sign()).status_code == 200


def test_an_rsa_key_serves_its_own_algorithm_alone(app: Flask, server: Server) -> None:
    plain, pss = Key("RS256"), Key("PS256")
    server.keys = [plain, pss]
    crossed = [Key("PS256", plain.private, kid=plain.jwk["kid"]), Key("RS256", pss.private, kid=pss.jwk["kid"])]
    for key in crossed:
        assert_error(call(app, key.sign()), 401, "Invalid token: algorithm not allowed")


def private_key() -> Key:
    key = Key()
    key.jwk |= jwt.get_algorithm_by_name("EdDSA").to_jwk(key.private, as_dict=True)
    return key


def symmetric_key() -> Key:
    key = Key()
    key.jwk |= {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "EdDSA"}
    return key


UNFIT: dict[str, Callable[[], Key]] = {
    "encryption": lambda: Key(use="enc"),
    "no verifying": lambda: Key(key_ops=["encrypt"]),
    "operations that are no list": lambda: Key(key_ops="verify"),
    "secret": symmetric_key,
    "private": private_key,
    "weak": lambda: Key("RS256", rsa.generate_private_key(65537, 1024)),
    "wrong curve": lambda: Key("ES256", ec.generate_private_key(ec.SECP384R1())),
    "curve not supported": lambda: Key("ES256", ec.generate_private_key(ec.SECP256K1()), alg=None),
    "algorithm not supported": lambda: Key(alg="ES256K"),
    "symmetric algorithm": lambda: Key(alg="HS256"),
    "no algorithm": lambda: Key(alg="none"),
    "algorithm that is a list": lambda: Key(alg=["EdDSA"]),
    "no id": lambda: Key(kid=None),
    "empty id": lambda: Key(kid=""),
    "id that is a number": lambda: Key(kid=7),
    "half a point": lambda: Key("ES256", y="AA"),
    "number for a point": lambda: Key(x=5),
    "exponent 1": lambda: Key("RS256", e="AQ"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_key_that_is_unfit_is_not_used_and_spoils_no_other(app: Flask, server: Server, name: str) -> None:
    key = UNFIT[name]()
    server.keys.append(key)
    good, bad = server.keys[0].sign(), key.sign(kid=str(key.jwk.get("kid", "")) or "none")
    assert call(app, good).status_code == 200
    assert_error(call(app, bad), 401, UNKNOWN)


def test_a_key_that_nothing_was_ever_signed_with_verifies_nothing(app: Flask, server: Server) -> None:
    even = Key("RS256", n="g" + "A" * 341)
    server.keys.append(even)
    assert_error(call(app, even.sign()), 401, "Invalid token: signature verification failed")


def test_an_id_that_two_keys_share_names_neither(app: Flask, server: Server) -> None:
    twins = [Key(kid="twin"), Key(kid="twin")]
    server.keys += twins
    assert [call(app, twin.sign()).status_code for twin in twins] == [401, 401]
    assert call(app, server.keys[0].sign()).status_code == 200


@pytest.mark.parametrize("kid", ["", "unknown", "../../../../etc/passwd", "' OR 1=1 --", "\x00", "é", "k" * 20_000])
def test_an_id_of_no_key_is_unknown(app: Flask, server: Server, kid: str) -> None:
    assert_error(call(app, server.keys[0].sign(kid=kid)), 401, UNKNOWN)


def test_a_token_without_an_id_is_refused_though_there_is_but_one_key(app: Flask, server: Server) -> None:
    assert_error(call(app, server.keys[0].sign(kid=None)), 401, "Invalid token: no key id")


# Fetching


def test_keys_are_fetched_once_however_many_threads_ask(app: Flask, server: Server) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        server.publish(handler)

    server.respond = slowly
    assert statuses(app, [server.keys[0].sign() for _ in range(16)]) == [200] * 16
    assert server.paths == ["/api/auth/jwks"]
    assert fetches(app) == {"ok": 1, "failed": 0}


def test_nothing_is_fetched_before_a_token_needs_it(app: Flask, server: Server) -> None:
    call(app, "no token")
    app.test_client().get("/health")
    assert server.paths == []


def test_a_rotated_key_is_taken_as_soon_as_a_fetch_is_allowed_and_the_old_one_stays(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    old, new = server.keys[0], Key()
    assert call(app, old.sign()).status_code == 200
    server.keys = [new, old]
    assert_error(call(app, new.sign()), 401, UNKNOWN)
    wait(3)
    assert call(app, new.sign()).status_code == 200
    assert call(app, old.sign()).status_code == 200
    assert len(server.paths) == 2


def test_fifty_unknown_keys_cause_one_fetch_at_most(app: Flask, server: Server, wait: Callable[[float], None]) -> None:
    assert call(app, server.keys[0].sign()).status_code == 200
    wait(3)
    assert statuses(app, [Key().sign() for _ in range(50)]) == [401] * 50
    assert len(server.paths) == 2


def test_a_removed_key_is_refused_after_the_refresh_that_its_own_cached_token_starts(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    removed = server.keys[0].sign(forever())
    assert call(app, removed).status_code == 200
    server.keys = [Key()]
    wait(299)
    assert call(app, removed).status_code == 200
    assert len(server.paths) == 1
    wait(1)
    assert call(app, removed).status_code == 200  # it does not wait
    wait_until(lambda: call(app, removed).status_code == 401)
    assert len(server.paths) == 2


def test_a_removed_keys_cached_token_is_refused_once_an_unknown_key_has_brought_the_new_set(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    removed, new = server.keys[0].sign(), Key()
    assert call(app, removed).status_code == 200
    server.keys = [new]
    wait(3)
    assert call(app, new.sign()).status_code == 200
    assert_error(call(app, removed), 401, UNKNOWN)


def test_what_a_removed_key_was_verifying_meanwhile_is_not_cached(app: Flask, server: Server) -> None:
    cache = auth.token_cache(app)
    token = server.keys[0].sign()
    verify = cache.verifier.verify

    def slow_verify(token: str) -> Any:
        verified = verify(token)
        cache.clear()  # as the fetch of another set does, at the worst moment
        return verified

    cache.verifier.verify = slow_verify
    assert call(app, token).status_code == 200
    cache.verifier.verify = lambda token: refuse_invalid("unknown key")
    assert_error(call(app, token), 401, UNKNOWN)


# Outages


GOOD = json.dumps({"keys": [Key().jwk]}).encode()
UNUSABLE = {
    "HTML": answer(b"<!doctype html><title>Sign in</title>"),
    "nothing": answer(b""),
    "no keys": answer(b'{"keys": []}'),
    "keys that are no list": answer(b'{"keys": 5}'),
    "keys that are no objects": answer(b'{"keys": [null, [], 7, "x"]}'),
    "secrets only": answer(b'{"keys": [{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}]}'),
    "no set": answer(b"{}"),
    "a list": answer(b"[]"),
    "null": answer(b"null"),
    "bytes": answer(bytes(range(128, 256))),
    "nested past reason": answer(b'{"keys": ' + b"[" * 100_000),
    "huge": answer(GOOD + b" " * key_set.MAX_BYTES),
    "endless": raw(b"HTTP/1.1 200 OK\r\n\r\n", GOOD, *[b" " * 65536] * 20),
    "not found": answer(b"{}", 404),
    "error": answer(GOOD, 500),
    "no content": answer(b"", 204),
    "cut off": answer(GOOD, Content_Length=str(len(GOOD) + 1)),
    "cut off chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "no answer": raw(),
    "endless headers": raw(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"x" * 60_000 + b"\r\n"] * 200),
    "redirect in a circle": answer(b"", 302, Location="/api/auth/jwks"),
    "redirect to nowhere": answer(b"", 302),
    "redirect to a file": answer(b"", 302, Location="file:///etc/passwd"),
    "redirect out of the protocol": answer(b"", 302, Location="http://[::1"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_answer_leaves_the_kept_keys_in_use(
    app: Flask, server: Server, wait: Callable[[float], None], name: str
) -> None:
    token = server.keys[0].sign()
    assert call(app, token).status_code == 200
    server.respond = UNUSABLE[name]
    wait(3)
    assert_error(call(app, Key().sign()), 401, UNKNOWN)
    assert fetches(app) == {"ok": 1, "failed": 1}
    assert call(app, token).status_code == call(app, server.keys[0].sign(claims(jti="other"))).status_code == 200


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_answer_is_unavailable_while_no_keys_are_kept(
    app: Flask, server: Server, wait: Callable[[float], None], name: str
) -> None:
    server.respond = UNUSABLE[name]
    token = server.keys[0].sign()
    response = call(app, token)
    assert_error(response, 503, "Service Unavailable")
    assert response.headers["Retry-After"] == "1"
    server.respond = server.publish
    wait(3)
    assert call(app, token).status_code == 200


def test_kept_keys_serve_for_a_day_without_their_provider_and_no_longer(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    token = server.keys[0].sign(forever())
    assert call(app, token).status_code == 200
    server.stop()
    for _ in range(23):
        wait(3600)
        assert call(app, token).status_code == 200
        wait_until(lambda: not fetching())
    wait(3590)
    assert call(app, token).status_code == 200
    wait(11)
    response = call(app, token)
    assert_error(response, 503, "Service Unavailable")
    assert response.headers["Retry-After"] == "1"


def test_an_outage_and_its_end_are_logged_once(
    app: Flask, server: Server, wait: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "todo_api")
    assert call(app, server.keys[0].sign()).status_code == 200
    for respond in (answer(b"no\nkeys"), answer(b"", 500), server.publish, server.publish):
        server.respond = respond
        wait(3)
        call(app, Key().sign())
    assert [(record.levelname, record.getMessage().partition(":")[0]) for record in caplog.records] == [
        ("WARNING", "The key set cannot be fetched ('JSONDecodeError"),
        ("INFO", "The key set can be fetched again; keys"),
    ]


def test_a_token_that_no_key_could_help_is_refused_during_an_outage_too(app: Flask, server: Server) -> None:
    server.stop()
    assert_error(call(app, "no token"), 401, "Invalid token: malformed token")
    assert_error(call(app, Key().sign(alg="none")), 401, "Invalid token: algorithm not allowed")


# Slow servers


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n{"])
def test_a_fetch_from_a_server_that_trickles_ends_in_time(app: Flask, server: Server, start: bytes) -> None:
    server.respond = raw(start, *[b"x"] * 100, pause=0.1)
    began = time.monotonic()
    assert_error(call(app, server.keys[0].sign()), 503, "Service Unavailable")
    wait_until(lambda: fetches(app)["failed"] == 1)
    assert time.monotonic() - began < 3


@pytest.mark.usefixtures("short")
def test_a_fetch_from_a_port_that_never_answers_ends_in_time(api_at: Callable[[str], Flask]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:  # accepts nobody
        app = api_at(f"http://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        assert_error(call(app, Key().sign()), 503, "Service Unavailable")
        assert time.monotonic() - began < 3


@pytest.mark.usefixtures("short")
def test_a_host_name_that_takes_long_to_resolve_holds_one_thread_and_no_request_for_long(
    app: Flask, wait: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [resolved.wait(10)][1:])
    began = time.monotonic()
    assert_error(call(app, Key().sign()), 503, "Service Unavailable")
    [thread] = fetching()
    wait(3)
    assert_error(call(app, Key().sign()), 503, "Service Unavailable")
    assert time.monotonic() - began < 3
    assert fetching() == [thread]
    resolved.set()
    thread.join(5)
    assert fetches(app) == {"ok": 0, "failed": 1}


def test_requests_with_a_known_key_do_not_wait_while_the_provider_hangs(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    assert call(app, server.keys[0].sign()).status_code == 200
    server.respond = server.hang
    wait(3)
    lasted: list[float] = []

    def ask(token: str) -> int:
        began = time.monotonic()
        status = call(app, token).status_code
        lasted.append(time.monotonic() - began)
        return status

    with ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(ask, Key().sign()) for _ in range(8)]
        wait_until(lambda: len(lasted) == 7)  # one waits, and holds but its own thread
        assert [ask(server.keys[0].sign(claims(jti=str(number)))) for number in range(20)] == [200] * 20
        assert len(lasted) == 27
        assert [future.result() for future in refused] == [401] * 8
    assert max(lasted) < 5
    assert len(server.paths) == 2


def test_a_refresh_from_a_provider_that_hangs_holds_no_request(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    tokens = [server.keys[0].sign(forever(jti=str(number))) for number in range(8)]
    assert statuses(app, tokens) == [200] * 8
    server.respond = server.hang
    wait(301)
    began = time.monotonic()
    assert statuses(app, tokens) == [200] * 8
    assert time.monotonic() - began < 2
    wait_until(lambda: len(server.paths) == 2)


@pytest.mark.usefixtures("short")
def test_a_provider_that_hangs_holds_one_thread_after_the_first_fetch_failed(
    app: Flask, server: Server, wait: Callable[[float], None]
) -> None:
    server.respond = server.hang
    token = server.keys[0].sign()
    assert statuses(app, [token] * 4) == [503] * 4
    began = time.monotonic()
    assert statuses(app, [token] * 4) == [503] * 4  # no new fetch yet
    assert time.monotonic() - began < 0.9
    assert len(server.paths) == 1


# Where to, and where not


def test_the_provider_may_be_at_any_address(api_at: Callable[[str], Flask], server: Server) -> None:
    app = api_at(server.url.replace("127.0.0.1", "[::ffff:127.0.0.1]"))
    assert call(app, server.keys[0].sign()).status_code == 200


def test_a_redirect_is_followed_within_the_origin(app: Flask, server: Server) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/api/auth/jwks":
            answer(b"", 308, Location="/api/auth/jwks/?v=1")(handler)
        else:
            server.publish(handler)

    server.respond = redirect
    assert call(app, server.keys[0].sign()).status_code == 200
    assert server.paths == ["/api/auth/jwks", "/api/auth/jwks/?v=1"]


@pytest.mark.parametrize("location", ["{other}/jwks", "//127.0.0.1:{port}/jwks", "http://localhost:{port}/jwks"])
def test_a_redirect_to_another_origin_is_not_followed(app: Flask, server: Server, location: str) -> None:
    with key_server() as other:
        other.keys = server.keys
        target = location.format(other=other.url, port=other.http.server_port)
        server.respond = answer(b"", 307, Location=target)
        assert_error(call(app, server.keys[0].sign()), 503, "Service Unavailable")
        assert other.paths == []


def test_a_token_makes_the_service_call_nobody(app: Flask, server: Server) -> None:
    attacker = Key(kid=server.keys[0].jwk["kid"])
    with key_server() as elsewhere:
        elsewhere.keys = [attacker]
        for member in ("jku", "x5u"):
            assert call(app, attacker.sign(**{member: f"{elsewhere.url}/jwks"})).status_code == 401
        assert elsewhere.paths == []


def test_a_proxy_that_the_environment_names_is_not_asked(
    app: Flask, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert call(app, server.keys[0].sign()).status_code == 200


@pytest.fixture
def https(server: Server, tmp_path: Path) -> Path:
    """Makes the key server speak TLS as 127.0.0.1; the certificate, which no one trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.url = server.url.replace("http:", "https:")
    return pem


@pytest.mark.usefixtures("https")
def test_a_key_server_whose_certificate_is_not_trusted_is_not_believed(
    api_at: Callable[[str], Flask], server: Server
) -> None:
    app = api_at(server.url)
    assert_error(call(app, server.keys[0].sign()), 503, "Service Unavailable")
    assert (server.paths, fetches(app)) == ([], {"ok": 0, "failed": 1})


def test_a_key_server_whose_certificate_is_trusted_is_believed_under_its_own_name_alone(
    api_at: Callable[[str], Flask], server: Server, https: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(https))
    assert call(api_at(server.url), server.keys[0].sign()).status_code == 200
    elsewhere = api_at(server.url.replace("127.0.0.1", "localhost"))
    assert_error(call(elsewhere, server.keys[0].sign()), 503, "Service Unavailable")


# Processes


def ask_before_and_after_a_fork(database: str, url: str, before: str, cached: str, after: str) -> None:
    settings = {"better_auth_jwks_url": url, "jwt_issuer": ORIGIN, "jwt_audience": (ORIGIN,)}
    app = make_app(database, better_auth_secret=None, **settings)
    statuses = [call(app, before).status_code]
    child = os.fork()
    if child == 0:
        key_set.monotonic = lambda: time.monotonic() + 3  # as if the time had passed
        statuses += [call(app, token).status_code for token in (cached, after)]
        os._exit(0 if statuses == [200] * 3 else 1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def test_keys_are_fetched_in_a_forked_process_also_by_an_app_from_before_the_fork(
    server: Server, sqlite_of_session: URL, tmp_path: Path
) -> None:
    first, second = server.keys[0], Key()
    server.respond = published_in_turn(server, [first], [first, second])
    tokens = [first.sign(), first.sign(claims(jti="2")), second.sign()]
    run_in_new_process(ask_before_and_after_a_fork, str(sqlite_of_session), server.url, *tokens, folder=tmp_path)
    assert len(server.paths) == 2


def published_in_turn(server: Server, *sets: list[Key]) -> Callable[[BaseHTTPRequestHandler], None]:
    left = list(sets)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        server.keys = left.pop(0)
        server.publish(handler)

    return respond
