"""Writes docs/pictures/: pages of the demo's run and of one with faults, as Chromium draws them.

    prisam launch --run-dir runs/demo
    prisam launch --faults churn-30 --run-dir runs/churn
    python docs/make_pictures.py runs/demo runs/churn

It needs the extra `test`, and a Chromium on PATH.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from prisam_p2p.page.report_file import write_report

PICTURES = Path(__file__).parent / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OF_BOTH_RUNS = ("compare", "faults")
"""Views that need two runs, or faults."""
DRAW_ALL = "prisam.views.figures().forEach(f => { f.near = true; f.draw(); })"


def main(demo: Path, churn: Path) -> None:
    """Write the pictures of both runs."""
    path = next(found for name in BROWSERS if (found := shutil.which(name)))
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        one, both = (Path(folder) / name for name in ("one.html", "both.html"))
        write_report([demo], one)
        write_report([churn, demo], both)
        for theme in ("light", "dark"):
            page = opened(browser, one, theme)
            keep(f"page-{theme}", page.screenshot())
        page = opened(browser, one, "light")
        views = page.evaluate("prisam.views.all().map(view => view.id)")
        take(page, [view for view in views if view not in OF_BOTH_RUNS])
        take(opened(browser, both, "light"), list(OF_BOTH_RUNS))
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
        keep(view, page.locator(f"#section-{view}").screenshot(animations="disabled"))


def keep(name: str, png: bytes) -> None:
    """Write a picture with at most 256 colours: a third of the bytes, and no difference to see."""
    picture = Image.open(BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
