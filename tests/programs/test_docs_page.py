"""The docs page in a real browser."""

import time
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Browser, Locator, Page

from tests.support.service import Service
from tests.support.tokens import token

SLOWEST_MS = 30_000


def test_the_page_works_in_a_browser(live_server: Service, browser: Browser, tmp_path: Path) -> None:
    complaints: list[str] = []
    requested: list[str] = []
    user = f"browser {uuid4()}"
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(SLOWEST_MS)
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
