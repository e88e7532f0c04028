"""Writes docs/pictures/: the page of the demo's run, and of a run with faults, as Chromium draws it.

    prisam launch --run-dir runs/demo
    prisam launch --faults churn-30 --run-dir runs/churn
    python docs/make_pictures.py runs/demo runs/churn

It needs the extra `test`, and a Chromium on PATH.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from prisam_p2p.page.report_file import write_report

PICTURES = Path(__file__).parent / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WITH_FAULTS = ("faults",)
"""Views that show nothing of a run without faults."""
DRAW_ALL = "prisam.views.figures().forEach(f => { f.near = true; f.draw(); })"


def main(demo: Path, churn: Path) -> None:
    """Write the pictures of both runs."""
    path = next(found for name in BROWSERS if (found := shutil.which(name)))
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pages = {}
        for run in (demo, churn):
            pages[run] = Path(folder) / f"{run.name}.html"
            write_report([run], pages[run])
        for theme in ("light", "dark"):
            page = opened(browser, pages[demo], theme)
            page.screenshot(path=PICTURES / f"page-{theme}.png")
        page = opened(browser, pages[demo], "light")
        views = page.evaluate("prisam.views.all().map(view => view.id)")
        take(page, [view for view in views if view not in WITH_FAULTS])
        take(opened(browser, pages[churn], "light"), list(WITH_FAULTS))
        browser.close()


def opened(browser: Any, path: Path, theme: str) -> Page:
    """Return an opened page of a run, its first screen drawn."""
    page: Page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme=theme)
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("html[data-ready=true]")
    return page


def take(page: Page, views: list[str]) -> None:
    """Take a picture of each view, without the bar that stays above it."""
    page.evaluate(DRAW_ALL)
    page.evaluate("document.querySelector('.bar').style.position = 'static'")
    for view in views:
        page.locator(f"#section-{view}").screenshot(
            path=PICTURES / f"{view}.png", animations="disabled"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
