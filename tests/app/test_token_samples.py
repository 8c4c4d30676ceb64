"""Tokens that a real Better Auth has issued, each taken or refused as recorded."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from flask import Flask

from tests.support.checkout import ROOT
from tests.support.errors import assert_error
from tests.support.issuer import Server, answer, call, key_server
from tests.support.tokens import SECRET

SAMPLES = json.loads((ROOT / "tests/data/better_auth_tokens.json").read_text())["samples"]
sampled = pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])

Sample = dict[str, Any]


@pytest.fixture
def server() -> Iterator[Server]:
    with key_server() as server:
        yield server


@pytest.fixture
def app_for(api: Callable[..., Flask], server: Server) -> Callable[[Sample], Flask]:
    """The app as a sample wants it configured; one that is for neither mode is shown to a shared secret."""

    def app_for(sample: Sample) -> Flask:
        if sample["mode"] != "JWKS":
            return api(
                better_auth_secret=sample["secret"] or SECRET,
                jwt_issuer=sample["issuer"],
                jwt_audience=sample["audience"] and (sample["audience"],),
            )
        server.respond = answer(json.dumps(sample["jwks"]).encode())
        return key_set_app(api, server, sample)

    return app_for


def key_set_app(api: Callable[..., Flask], server: Server, sample: Sample) -> Flask:
    return api(
        better_auth_secret=None,
        better_auth_jwks_url=f"{server.url}/api/auth/jwks",
        jwt_issuer=sample["issuer"] or "http://localhost:3000",
        jwt_audience=(sample["audience"] or "http://localhost:3000",),
    )


@sampled
def test_a_recorded_token_is_taken_or_refused_as_recorded(sample: Sample, app_for: Callable[[Sample], Flask]) -> None:
    app, user = app_for(sample), quote(sample["user"]["id"])
    with time_machine.travel(sample["verify_at"] or 0, tick=False):
        response = call(app, sample["token"], user)
        again = call(app, sample["token"], user)
    assert response.status_code == again.status_code == (200 if sample["accept"] else 401), response.text


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES if sample["accept"]], ids=lambda sample: sample["name"]
)
def test_a_recorded_token_expires_though_it_was_taken_before(
    sample: Sample, app_for: Callable[[Sample], Flask]
) -> None:
    app = app_for(sample)
    with time_machine.travel(sample["verify_at"], tick=False) as clock:
        assert call(app, sample["token"], sample["user"]["id"]).status_code == 200
        clock.move_to(sample["expired_at"])
        assert_error(call(app, sample["token"], sample["user"]["id"]), 401, "Token has expired")


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES if sample["accept"]], ids=lambda sample: sample["name"]
)
def test_a_recorded_token_opens_no_other_users_tasks(sample: Sample, app_for: Callable[[Sample], Flask]) -> None:
    with time_machine.travel(sample["verify_at"], tick=False):
        response = call(app_for(sample), sample["token"], sample["user"]["email"])
    assert_error(response, 403, "Access denied: You can only access your own resources")


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample["mode"] != "JWKS"], ids=lambda s: s["name"])
def test_a_recorded_token_that_no_published_key_signed_is_refused_by_a_key_set(
    sample: Sample, api: Callable[..., Flask], server: Server
) -> None:
    keys = next(other["jwks"] for other in SAMPLES if other["name"] == "jwks-default")
    server.respond = answer(json.dumps(keys).encode())
    with time_machine.travel(sample["verify_at"] or 0, tick=False):
        assert call(key_set_app(api, server, sample), sample["token"]).status_code == 401


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample["mode"] == "JWKS"], ids=lambda s: s["name"])
def test_a_recorded_token_that_a_published_key_signed_is_refused_by_a_shared_secret(
    sample: Sample, api: Callable[..., Flask]
) -> None:
    with time_machine.travel(sample["verify_at"], tick=False):
        assert_error(call(api(), sample["token"]), 401, "Invalid token: algorithm not allowed")
