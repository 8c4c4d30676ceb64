"""Tokens that must not open anything (RFC 8725, RFC 7515), each shown to both modes where it applies."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL
from werkzeug.test import TestResponse

from tests.support.apps import disposed, make_app
from tests.support.errors import assert_error
from tests.support.issuer import ORIGIN, USER, Key, b64, call, claims, hs256, key_server
from tests.support.tokens import SECRET
from todo_api.auth.tokens import token_cache

DETAILS = {
    "Not authenticated",
    "Token has expired",
    *(
        f"Invalid token: {reason}"
        for reason in (
            "malformed token",
            "algorithm not allowed",
            "signature verification failed",
            "critical extension not understood",
            "wrong type of token",
            "no key id",
            "unknown key",
            "wrong issuer",
            "wrong audience",
            "a required claim is missing",
            "not valid yet",
            "bad subject",
            "bad exp",
            "bad nbf",
            "bad iat",
        )
    ),
}
# RFC 9110, section 11.6.1, as far as we use it: quoted strings without a quote or backslash in them.
CHALLENGE = re.compile(r'Bearer( [a-z_]+="[ !#-\[\]-~]*"(, [a-z_]+="[ !#-\[\]-~]*")*)?')


class Mode:
    """One way to verify: its app, and how a good issuer signs for it."""

    def __init__(self, app: Flask, sign: Callable[..., str]) -> None:
        self.app = app
        self.sign = sign

    def refuses(self, token: str, reason: str | None = None) -> None:
        response = call(self.app, token)
        assert_refused(response)
        if reason is not None:
            assert_error(response, 401, f"Invalid token: {reason}")


def assert_refused(response: TestResponse) -> None:
    """401 in the one shape, with a reason of ours and so nothing of the token, and a well-formed challenge."""
    assert response.status_code == 401, response.text
    assert response.json["detail"] in DETAILS
    assert_error(response, 401, response.json["detail"])
    assert CHALLENGE.fullmatch(response.headers["WWW-Authenticate"])


@pytest.fixture(scope="module")
def keys() -> dict[str, Key]:
    return {algorithm: Key(algorithm) for algorithm in ("EdDSA", "ES256", "ES512", "RS256", "PS256")}


@pytest.fixture(scope="module")
def key_set_mode(sqlite_of_session: URL, keys: dict[str, Key]) -> Iterator[Mode]:
    with key_server() as server:
        server.keys = list(keys.values())
        changes = {"better_auth_secret": None, "better_auth_jwks_url": server.url}
        with disposed(make_app(sqlite_of_session, **changes, jwt_issuer=ORIGIN, jwt_audience=(ORIGIN, "todo"))) as app:
            yield Mode(app, keys["EdDSA"].sign)


@pytest.fixture(scope="module")
def secret_mode(sqlite_of_session: URL) -> Iterator[Mode]:
    def sign(payload: object = None, **header: Any) -> str:
        return hs256({"alg": "HS256", **header}, claims() if payload is None else payload, SECRET.encode())

    with disposed(make_app(sqlite_of_session, jwt_issuer=ORIGIN, jwt_audience=(ORIGIN, "todo"))) as app:
        yield Mode(app, sign)


@pytest.fixture(scope="module", params=["shared secret", "key set"])
def mode(request: pytest.FixtureRequest) -> Mode:
    found: Mode = request.getfixturevalue("secret_mode" if request.param == "shared secret" else "key_set_mode")
    return found


def test_a_good_token_is_taken(mode: Mode) -> None:
    assert call(mode.app, mode.sign()).status_code == 200


# Algorithms and keys


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "none ", "", "HS1", "RS512", "eddsa", "hs256"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_no_algorithm_means_no_entry(mode: Mode, keys: dict[str, Key], algorithm: str, signature: str) -> None:
    header = {"alg": algorithm, "kid": keys["EdDSA"].jwk["kid"]}
    mode.refuses(f"{b64(header)}.{b64(claims())}.{signature}", "algorithm not allowed")


@pytest.mark.parametrize("algorithm", [None, 5, True, [], ["none"], ["EdDSA"], {"HS256": 1}, "HS256\x00", "\ud800"])
def test_an_algorithm_that_is_no_name_is_refused(mode: Mode, keys: dict[str, Key], algorithm: Any) -> None:
    header = {"alg": algorithm, "kid": keys["EdDSA"].jwk["kid"]}
    mode.refuses(f"{b64(header)}.{b64(claims())}.AAAA", "algorithm not allowed")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_shared_secret_serves_no_other_algorithm_than_is_set(secret_mode: Mode, algorithm: str) -> None:
    secret_mode.refuses(jwt.encode(claims(), SECRET, algorithm), "algorithm not allowed")


def public_encodings(key: Key) -> list[bytes]:
    """A public key in every form an attacker may take it for a secret in."""
    public = key.private.public_key()
    encoding, form = serialization.Encoding, serialization.PublicFormat
    pem = public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo)
    found = [
        pem,
        pem.strip(),
        pem.replace(b"\n", b"\r\n"),
        public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
    ]
    if key.algorithm == "EdDSA":
        found.append(public.public_bytes(encoding.Raw, form.Raw))
    if key.algorithm in {"RS256", "PS256"}:
        found.append(public.public_bytes(encoding.PEM, form.PKCS1))
    if key.algorithm != "PS256":
        found.append(public.public_bytes(encoding.OpenSSH, form.OpenSSH))
    for member in ("x", "n"):
        if member in key.jwk:
            text = key.jwk[member]
            found += [text.encode(), base64.urlsafe_b64decode(text + "==")]
    compact = json.dumps(key.jwk, separators=(",", ":"))
    found += [compact.encode(), json.dumps(key.jwk).encode(), json.dumps({"keys": [key.jwk]}).encode(), b""]
    return found


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES512", "RS256", "PS256"])
def test_a_public_key_is_no_secret(key_set_mode: Mode, keys: dict[str, Key], algorithm: str) -> None:
    key = keys[algorithm]
    for encoded in public_encodings(key):
        header = {"alg": "HS256", "kid": key.jwk["kid"]}
        key_set_mode.refuses(hs256(header, claims(), encoded), "algorithm not allowed")
        key_set_mode.refuses(hs256({**header, "alg": algorithm}, claims(), encoded))


def test_a_key_verifies_with_its_own_algorithm_alone(key_set_mode: Mode, keys: dict[str, Key]) -> None:
    for key in keys.values():
        for other in keys.values():
            if other is not key:
                key_set_mode.refuses(other.sign(kid=key.jwk["kid"]), "algorithm not allowed")
                key_set_mode.refuses(other.sign(kid=key.jwk["kid"], alg=key.algorithm))


def test_a_key_that_the_token_brings_along_verifies_nothing(mode: Mode, keys: dict[str, Key]) -> None:
    attacker = Key(kid=keys["EdDSA"].jwk["kid"])
    certificate = [base64.b64encode(b"certificate").decode()]
    for header in ({"jwk": attacker.jwk}, {"x5c": certificate}, {"x5t": "AAAA"}, {"kid": "mine", "jwk": attacker.jwk}):
        mode.refuses(attacker.sign(**header))


@pytest.mark.parametrize("kid", [None, 7, True, [], ["a"], {}, {"a": 1}])
def test_a_key_id_that_is_no_string_is_malformed(mode: Mode, kid: Any) -> None:
    good = mode.sign().split(".")
    header = {**jwt.get_unverified_header(mode.sign()), "kid": kid}
    mode.refuses(".".join([b64(header), *good[1:]]), "malformed token")


# Signatures


def test_a_signature_covers_header_and_payload(mode: Mode) -> None:
    ours, theirs = (mode.sign(claims(sub=user)).split(".") for user in ("mallory", USER))
    mode.refuses(".".join([theirs[0], theirs[1], ours[2]]), "signature verification failed")
    header = {**jwt.get_unverified_header(mode.sign()), "cty": "x"}
    mode.refuses(".".join([b64(header), theirs[1], theirs[2]]), "signature verification failed")


def test_a_changed_cut_or_missing_signature_is_refused(mode: Mode) -> None:
    start, _, signature = mode.sign().rpartition(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    for other in (changed, signature[:-4], signature + "AAAA", "", "AAAA", signature[::-1]):
        mode.refuses(f"{start}.{other}")
    mode.refuses(start)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES512", "RS256", "PS256"])
@pytest.mark.parametrize("size", [0, 1, 32, 64, 132, 256])
def test_a_signature_of_zeros_or_ones_is_refused(
    key_set_mode: Mode, keys: dict[str, Key], algorithm: str, size: int
) -> None:
    start = keys[algorithm].sign().rpartition(".")[0]
    for byte in (b"\x00", b"\x01", b"\xff"):
        key_set_mode.refuses(f"{start}.{b64(byte * size)}", "signature verification failed")


# Form


def test_what_is_no_three_parts_of_base64url_is_malformed(mode: Mode) -> None:
    header, payload, signature = mode.sign().split(".")
    for token in (
        "a",
        ".",
        "..",
        "...",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{header}.{payload}.{signature}.",
        f"{header}.{payload}.{signature}.{signature}.{signature}",
        f"{header}.{payload}.{signature}!",
        f"{header}.{payload}.{signature}===",
        f"{header} .{payload}.{signature}",
        f"{header}.{payload[:-1]}~.{signature}",
        f'"{header}.{payload}.{signature}"',
        mode.sign() * 2,
        "é" * 40,
        "\x7f",
    ):
        mode.refuses(token)


def test_padding_and_other_spellings_of_a_good_token_are_no_other_token(mode: Mode) -> None:
    """Base64url as RFC 4648 has it: the last character's unused bits are zero, + and / are none."""
    header, payload, signature = mode.sign().split(".")
    last = signature[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if len(signature) % 4:
        mode.refuses(f"{header}.{payload}.{signature[:-1]}{alphabet[alphabet.index(last) + 1]}", "malformed token")
    for text in (header, payload, signature):
        spelled = text.replace("-", "+").replace("_", "/")
        if spelled != text:
            mode.refuses(f"{header}.{payload}.{signature}".replace(text, spelled))


@pytest.mark.parametrize(
    "header", ["null", "[]", "5", '"x"', "{", "", "{}", "\ufeff{}", "[" * 100_000, '{"a":' * 50_000]
)
def test_a_header_that_is_no_object_is_refused(mode: Mode, header: str) -> None:
    _, payload, signature = mode.sign().split(".")
    mode.refuses(f"{b64(header.encode())}.{payload}.{signature}")


@pytest.mark.parametrize("payload", [None, [], 5, "x", [claims()], {"a": {"b": [1] * 5}}])
def test_a_payload_that_is_no_object_with_claims_is_refused(mode: Mode, payload: object) -> None:
    mode.refuses(mode.sign([None] if payload is None else payload))


def test_a_payload_nested_past_reason_is_refused(mode: Mode) -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, "9" * 5000, f'{{"exp": {"9" * 5000}}}', "NaN"):
        mode.refuses(mode.sign(text.encode()), "malformed token")


def test_an_encrypted_and_a_nested_token_are_refused(mode: Mode) -> None:
    mode.refuses(".".join([b64({"alg": "dir", "enc": "A256GCM"}), "", "AAAA", "AAAA", "AAAA"]))
    mode.refuses(mode.sign(mode.sign(), cty="JWT"), "malformed token")
    mode.refuses(mode.sign(mode.sign().encode(), cty="JWT"), "malformed token")


def test_a_huge_token_is_refused_or_taken_for_what_it_says(mode: Mode) -> None:
    assert call(mode.app, mode.sign(claims(name="x" * 200_000))).status_code == 200
    mode.refuses("x" * 1_000_000)
    mode.refuses("." * 1_000_000)
    mode.refuses(mode.sign(claims(sub="x" * 200_000)), "bad subject")


@pytest.mark.parametrize("kind", ["jwt", "JWT", "at+jwt", "AT+JWT"])
def test_the_types_of_access_tokens_are_taken(mode: Mode, kind: str) -> None:
    assert call(mode.app, mode.sign(typ=kind)).status_code == 200


@pytest.mark.parametrize(
    "kind", ["", "JWS", "id+jwt", "dpop+jwt", "logout+jwt", "better-auth.session-cache+jwt", 5, ["JWT"], {"JWT": 1}]
)
def test_a_token_of_another_type_is_refused(mode: Mode, kind: Any) -> None:
    mode.refuses(mode.sign(typ=kind), "wrong type of token")


def test_a_type_of_null_is_refused(mode: Mode) -> None:
    header, payload, signature = mode.sign().split(".")
    header = b64({**jwt.get_unverified_header(mode.sign()), "typ": None})
    mode.refuses(f"{header}.{payload}.{signature}", "wrong type of token")


@pytest.mark.parametrize("crit", [[], ["exp"], ["b64"], ["kid"], ["unknown"], "exp", 5, {}, [5], True])
@pytest.mark.parametrize("more", [{}, {"b64": True}, {"b64": False}, {"unknown": 1}])
def test_a_critical_extension_is_refused(mode: Mode, crit: Any, more: dict[str, Any]) -> None:
    mode.refuses(mode.sign(crit=crit, **more))


def test_an_unencoded_payload_is_refused(mode: Mode) -> None:
    header, _, signature = mode.sign(b64=False).split(".")
    mode.refuses(f"{header}..{signature}")
    mode.refuses(mode.sign(b64=False))


# Claims


@pytest.mark.parametrize("name", ["exp", "sub", "iss", "aud"])
def test_a_token_without_a_required_claim_is_refused(mode: Mode, name: str) -> None:
    mode.refuses(mode.sign(claims(**{name: None})))


WRONG: list[tuple[str, Any]] = [
    *(("iss", value) for value in ("", "https://evil.example", ORIGIN + "/", ORIGIN.upper(), [ORIGIN], {}, 5, True)),
    *(
        ("aud", value)
        for value in ("", "other", ORIGIN + "/", [], ["other"], [[ORIGIN]], {ORIGIN: 1}, 5, [5], [None, ORIGIN])
    ),
    *(("sub", value) for value in ("", "a/b", "\x00", "x\x00y", "\ud800", "x" * 256, 5, True, [], ["ada"], {})),
    *(("exp", value) for value in (True, "9999999999", "x", [], {}, [9999999999], float("nan"), float("inf"))),
    *(("exp", value) for value in (0, -1, -(10**400), float("-inf"), 1.5)),
    *(("nbf", value) for value in (10**12, 10**400, True, "1", "x", [], {}, float("nan"), float("inf"))),
    *(("iat", value) for value in (10**12, 10**400, True, "1", "x", [], {}, float("nan"), float("inf"))),
    *(("jti", value) for value in (5, [], {})),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(value)[:30])
def test_a_wrong_claim_is_refused(mode: Mode, name: str, value: Any) -> None:
    token = mode.sign({**claims(), name: value})
    mode.refuses(token)
    mode.refuses(token)  # nor is it remembered as good


def test_claims_of_null_are_refused(mode: Mode) -> None:
    for name in ("exp", "nbf", "iat", "sub", "iss", "aud"):
        mode.refuses(mode.sign({**claims(), name: None}))


def test_a_far_expiry_and_other_numbers_are_taken(mode: Mode) -> None:
    for value in (10**400, 1e300, time.time() + 5.5):
        token = mode.sign({**claims(), "exp": value, "nbf": 0.5})
        assert [call(mode.app, token).status_code for _ in range(2)] == [200, 200]


def test_of_several_audiences_one_of_ours_suffices(mode: Mode) -> None:
    for audience in ("todo", ["other", "todo"], [ORIGIN]):
        assert call(mode.app, mode.sign(claims(aud=audience))).status_code == 200


def test_the_user_is_the_subject_and_nothing_else(mode: Mode) -> None:
    others = dict.fromkeys(("user_id", "id", "email", "userId", "user", "session"), USER)
    response = call(mode.app, mode.sign(claims(sub="mallory", **others)))
    assert_error(response, 403, "Access denied: You can only access your own resources")
    others = {"id": USER, "email": USER, "userId": USER, "user": {"id": USER}, "session": {"userId": USER}}
    mode.refuses(mode.sign(claims(sub=None, **others)), "bad subject")


def test_a_user_id_stands_in_for_an_absent_subject_with_a_shared_secret_alone(
    secret_mode: Mode, key_set_mode: Mode
) -> None:
    payload = claims(sub=None, user_id=USER)
    assert call(secret_mode.app, secret_mode.sign(payload)).status_code == 200
    key_set_mode.refuses(key_set_mode.sign(payload), "bad subject")
    for subject in (None, "", 5):
        secret_mode.refuses(secret_mode.sign({**payload, "sub": subject}), "bad subject")


# Time


def test_times_hold_with_a_leeway_of_ten_seconds_also_once_a_token_was_taken(mode: Mode) -> None:
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        token = mode.sign(claims(iat=now, nbf=now, exp=now + 60))
        for second, status in (
            (0, 200),
            (-10, 200),
            (-11, 401),
            (0, 200),
            (69.9, 200),
            (70, 401),
            (69, 200),
            (71, 401),
        ):
            clock.move_to(now + second)
            assert call(mode.app, token).status_code == status, second
        clock.move_to(now - 11)
        mode.refuses(token, "not valid yet")
        clock.move_to(now + 70)
        assert_error(call(mode.app, token), 401, "Token has expired")


def test_the_cache_is_bounded_and_drops_one_token_at_a_time(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("todo_api.auth.tokens.CACHED_TOKENS", 3)
    cache = token_cache(mode.app)
    cache.clear()
    verify, verified = cache.verifier.verify, []
    monkeypatch.setattr(cache.verifier, "verify", lambda token: [verified.append(token), verify(token)][1])
    tokens = [mode.sign(claims(jti=str(number))) for number in range(5)]
    for token in tokens:
        assert call(mode.app, token).status_code == 200
    assert verified == tokens
    call(mode.app, mode.sign(claims(exp=1)))  # neither one that is refused
    call(mode.app, mode.sign(claims(name="x" * 5000)))  # nor a long one takes a place
    verified.clear()
    for token in [*tokens[2:], tokens[0], *tokens[3:]]:
        assert call(mode.app, token).status_code == 200
    assert verified == [tokens[0]]


# Anything at all

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([ORIGIN, USER, "EdDSA", "HS256"]),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=8,
)
NAMES = ["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "cty", "enc", "zip", "p2c"]
CLAIMS = ["sub", "user_id", "iss", "aud", "exp", "nbf", "iat", "jti"]
fuzz = settings(max_examples=100, deadline=None)


def assert_sound(response: TestResponse) -> None:
    """An answer that a token may get: never a fault of ours."""
    assert response.status_code in {200, 401, 403}, response.text
    if response.status_code == 401:
        assert_refused(response)


@fuzz
@given(token=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")))
def test_any_text_is_answered_soundly(mode: Mode, token: str) -> None:
    assert_sound(call(mode.app, token))


@fuzz
@given(parts=st.lists(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), max_size=6))
def test_any_parts_are_answered_soundly(mode: Mode, parts: list[bytes]) -> None:
    assert_sound(call(mode.app, ".".join(map(b64, parts))))


@fuzz
@given(header=st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON, max_size=4))
def test_any_header_is_answered_soundly(mode: Mode, header: dict[str, Any]) -> None:
    assert_sound(call(mode.app, mode.sign(**header)))


@fuzz
@given(payload=st.dictionaries(st.sampled_from(CLAIMS) | st.text(), JSON, max_size=5) | JSON)
def test_any_signed_payload_is_answered_soundly(mode: Mode, payload: Any) -> None:
    token = mode.sign({**claims(), **payload} if isinstance(payload, dict) else payload)
    assert_sound(call(mode.app, token))
    assert_sound(call(mode.app, token))
