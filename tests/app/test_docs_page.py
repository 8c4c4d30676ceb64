"""The docs page: its assets and headers, and that it works in a real browser."""

import gzip
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import BrowserContext, Locator, Page, sync_playwright

from tests.support.errors import assert_error
from tests.support.programs import needs
from tests.support.service import Service
from tests.support.tokens import token

SLOWEST_MS = 30_000


def addresses(page: str) -> list[str]:
    return re.findall('(?:href|src)="([^"]*)"', page)


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


@pytest.mark.parametrize("name", ["swagger-ui.js", "..%2Fdocs.html", "../docs.html", "__init__.py", ""])
def test_no_other_file_is_served(name: str, anonymous: FlaskClient) -> None:
    [asset, *_] = [address for address in addresses(anonymous.get("/docs").text) if "/assets/" in address]
    assert_error(anonymous.get(f"{asset.rpartition('/')[0]}/{name}"), 404, "Not Found")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[BrowserContext]:
    needs("chromium")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage"],  # as root, and in a small container
            viewport={"width": 1280, "height": 1000},
        )
        context.set_default_timeout(SLOWEST_MS)
        yield context
        context.close()


def test_the_page_works_in_a_browser(live_server: Service, browser: BrowserContext, tmp_path: Path) -> None:
    complaints: list[str] = []
    requested: list[str] = []
    user = f"browser {uuid4()}"
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))

    started = time.perf_counter()
    page.goto(f"{live_server.address}/docs")
    page.wait_for_selector("#operations-tasks-toggle_task")
    print(f"drawn in {time.perf_counter() - started:.2f} s")
    page.screenshot(path=tmp_path / "1-opened.png", full_page=True)

    page.click("button.authorize")
    page.fill(".auth-container input", token(user))
    page.screenshot(path=tmp_path / "2-authorizing.png")
    page.click(".auth-btn-wrapper button.authorize")
    page.click(".auth-btn-wrapper .btn-done")
    # persistAuthorization: still there when the page is opened again
    page.reload()

    created = execute(page, "create_task", user)
    assert created.locator(".response-col_status").first.inner_text().startswith("201")
    assert "Buy milk" in created.locator(".response-col_description").first.inner_text()
    page.screenshot(path=tmp_path / "3-created.png")
    page.click("#operations-tasks-create_task .opblock-summary-control")

    listed = execute(page, "list_tasks", user)
    assert listed.locator(".response-col_status").first.inner_text().startswith("200")
    assert user in listed.locator(".response-col_description").first.inner_text()
    page.screenshot(path=tmp_path / "4-listed.png")

    assert complaints == []
    assert {url for url in requested if not url.startswith((f"{live_server.address}/", "data:"))} == set()


def execute(page: Page, operation: str, user: str) -> Locator:
    """Try an operation out; the answer that the page shows."""
    block = page.locator(f"#operations-tasks-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    block.locator("tr[data-param-name=user_id] input").fill(user)
    block.locator(".execute").click()
    return block.locator(".live-responses-table tr.response")
