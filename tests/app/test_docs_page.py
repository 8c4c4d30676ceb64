"""The docs page: its assets and headers."""

import gzip
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.errors import assert_error
from tests.support.marks import one_database


def addresses(page: str) -> list[str]:
    return re.findall('(?:href|src)="([^"]*)"', page)


@one_database
def test_the_page_comes_with_a_strict_policy_and_takes_nothing_from_another_host(anonymous: FlaskClient) -> None:
    response = anonymous.get("/docs")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert len(addresses(response.text)) > 3
    assert all(address.startswith("/") and not address.startswith("//") for address in addresses(response.text))
    assert "<style" not in response.text
    assert not re.search("<script[^>]*>[^<]", response.text)


@one_database
def test_assets_are_kept_for_long_under_addresses_that_change_with_them(anonymous: FlaskClient) -> None:
    assets = [address for address in addresses(anonymous.get("/docs").text) if address.startswith("/docs/assets/")]
    assert {Path(asset).suffix for asset in assets} == {".js", ".css", ".svg"}
    for asset in assets:
        response = anonymous.get(asset)
        assert response.status_code == 200
        kept = response.headers["Cache-Control"]
        assert set(kept.split(", ")) == {"public", "max-age=31536000", "immutable"}
        assert anonymous.head(asset).headers["Content-Length"] == str(len(response.data))
        packed = anonymous.get(asset, headers={"Accept-Encoding": "br, gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert gzip.decompress(packed.data) == response.data
        assert_error(anonymous.get(re.sub("/assets/[^/]*/", "/assets/0000/", asset)), 404, "Not Found")


@one_database
@pytest.mark.parametrize("name", ["swagger-ui.js", "..%2Fdocs.html", "../docs.html", "__init__.py", ""])
def test_no_other_file_is_served(name: str, anonymous: FlaskClient) -> None:
    [asset, *_] = [address for address in addresses(anonymous.get("/docs").text) if "/assets/" in address]
    assert_error(anonymous.get(f"{asset.rpartition('/')[0]}/{name}"), 404, "Not Found")
