"""A real browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.programs import needs

ARGUMENTS = [
    *("--no-sandbox", "--disable-dev-shm-usage"),  # as root, and in a small container
    # A page's files that have no address count as the internet's, whose pages may not call this machine's API.
    "--disable-features=LocalNetworkAccessChecks",
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()
