"""The docs page in a real browser."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, sync_playwright

from tests.support.programs import needs
from tests.support.service import Service
from tests.support.tokens import token

SLOWEST_MS = 30_000


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

    page.click("button.authorize")
    page.fill(".auth-container input", token(user))
    page.click(".auth-btn-wrapper button.authorize")
    page.click(".auth-btn-wrapper .btn-done")
    # persistAuthorization: still there when the page is opened again
    page.reload()

    created = execute(page, "create_task", user)
    assert created.locator(".response-col_status").first.inner_text().startswith("201")
    assert "Buy milk" in created.locator(".response-col_description").first.inner_text()
    page.click("#operations-tasks-create_task .opblock-summary-control")

    listed = execute(page, "list_tasks", user)
    assert listed.locator(".response-col_status").first.inner_text().startswith("200")
    assert user in listed.locator(".response-col_description").first.inner_text()

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
