"""A page with RxDB in a real browser, signed in at a real Better Auth, with the API at another origin."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.better_auth import ADA, running_better_auth
from tests.support.client import Client
from tests.support.databases import sqlite_url
from tests.support.offline import ADAPTERS
from tests.support.ports import free_port
from tests.support.programs import installed_packages, run
from tests.support.service import Service, serving


@pytest.fixture
def app(tmp_path: Path) -> Iterator[str]:
    """The origin of an app that has Better Auth, where Ada has signed up."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_better_auth(url), Client(port) as client:
        assert client.request("POST", "/api/auth/sign-up/email", ADA, {"Origin": url}).status == 200
        yield url


@pytest.fixture
def service(app: str, tmp_path: Path) -> Iterator[Service]:
    settings = {"BETTER_AUTH_SECRET": None, "BETTER_AUTH_URL": app, "CORS_ORIGINS": f'["{app}"]'}
    with serving(tmp_path, sqlite_url(tmp_path), **settings) as service:
        yield service


@pytest.fixture
def page_of(app: str, service: Service, browser: Browser, tmp_path: Path) -> Callable[[], Page]:
    """Opens the page in a browser context of its own, signed in. Its files come from here, also offline."""
    packages = installed_packages(ADAPTERS)
    built = tmp_path / "main.js"
    run(packages / ".bin/esbuild", "page/main.js", "--bundle", "--format=esm", f"--outfile={built}", cwd=ADAPTERS)
    files = {"main.js": built, "": ADAPTERS / "page/index.html"}

    def open_page() -> Page:
        context = browser.new_context()
        context.route(f"{app}/tasks/**", lambda route: serve(route, files))
        page = context.new_page()
        page.goto(f"{app}/tasks/?api={quote(service.address)}")
        page.get_by_label("Email").fill(ADA["email"])
        page.get_by_label("Password").fill(ADA["password"])
        page.get_by_text("Sign in").click()
        page.wait_for_function("localStorage.user")
        return page

    return open_page


def serve(route: Route, files: dict[str, Path]) -> None:
    route.fulfill(path=files[route.request.url.partition("?")[0].rpartition("/")[2]])


def add(page: Page, title: str) -> None:
    page.get_by_label("Title").fill(title)
    page.get_by_text("Add").click()
    expect(page.get_by_text(title)).to_be_visible()


def test_tasks_of_an_offline_page_outlive_a_reload_and_appear_in_another_browser(page_of: Callable[[], Page]) -> None:
    here, there = page_of(), page_of()
    add(here, "Online")
    expect(there.get_by_text("Online")).to_be_visible()

    here.context.set_offline(True)
    add(here, "Offline")
    here.reload()
    expect(here.get_by_text("Offline")).to_be_visible()
    add(here, "After a reload")
    add(there, "Elsewhere")
    expect(here.locator("li")).to_have_count(3)

    here.context.set_offline(False)
    for page in (here, there):
        for title in ("Online", "Offline", "After a reload", "Elsewhere"):
            expect(page.get_by_text(title, exact=True)).to_be_visible(timeout=15_000)
        expect(page.locator("li")).to_have_count(4)


def test_the_readme_shows_the_code_that_runs_here() -> None:
    assert (ADAPTERS / "page/tasks.js").read_text() in (ADAPTERS / "README.md").read_text()


@pytest.mark.parametrize("adapter", sorted(ADAPTERS.glob("*.js")), ids=lambda adapter: adapter.stem)
def test_an_adapter_has_at_most_forty_lines_and_what_they_share_sixty(adapter: Path) -> None:
    lines = adapter.read_text().splitlines()
    assert len(lines) <= (60 if adapter.name == "todo-api.js" else 40)
    assert max(map(len, lines)) <= 120
