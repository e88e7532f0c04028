"""The page in a real browser: the one on PATH, that PRISAM_CHROMIUM names, or Playwright's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READY = "html[data-ready=true]"
DEADLINE_MS = 30_000


def the_browser() -> str | None:
    """Return the path of a browser; None if there is none but perhaps Playwright's own."""
    named = os.environ.get("PRISAM_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the marker `browser`."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium for the tests of a module.

    Playwright's event loop runs in this thread for as long as the browser does. It must be gone
    before a test of another module makes a loop of its own, as pyroute2 does.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the package playwright is not installed (extra `test`)"
    )
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=the_browser(), args=arguments)
        except playwright.Error as error:
            if the_browser():
                raise
            asked = f"{', '.join(NAMES)} on PATH, PRISAM_CHROMIUM, Playwright's own"
            pytest.skip(f"no browser, of {asked}: {str(error).splitlines()[0]}")
        yield started
        started.close()


class Visit:
    """An opened page, with what went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("dialog", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"console {message.type}: {message.text}")

    def _asked(self, dialog: Any) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a path or a URL, wait until its first screen is drawn, and return Playwright's page.

    At its end the test fails if the page wrote an error or a warning, raised one, or asked for
    anything but itself. `requests` is the number of requests that it may send.
    """
    contexts, visits = [], []

    def opened(
        where: Path | str,
        *,
        requests: int | None = 1,
        width: int = 1440,
        dark: bool = False,
        ready: bool = True,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(DEADLINE_MS)
        visits.append((Visit(page), requests))
        page.goto(where.as_uri() if isinstance(where, Path) else where)
        if ready:
            page.wait_for_selector(READY)
        return page

    yield opened
    told = [(visit.errors, visit.requests, most) for visit, most in visits]
    for context in contexts:
        context.close()
    for errors, asked, most in told:
        assert errors == []
        asked = [url for url in asked if not url.startswith(("blob:", "data:"))]
        assert most is None or len(asked) <= most, asked


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write the page of a payload to a file and return its path."""
    from prisam_p2p.page.assembly import page_of

    def write(payload: dict[str, Any], name: str = "report.html") -> Path:
        path = tmp_path / name
        path.write_text(page_of(payload, "a run"), encoding="utf-8")
        return path

    return write
