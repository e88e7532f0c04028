"""Time what a reader waits for: a run's page, from the folder to the first screen.

    python benchmarks/page.py [RUN] [--peers 200] [--rounds 100] [--repeats 5] [--format json]

RUN is a run folder; without one, a folder of `--peers` and `--rounds` is generated. The page is
made once. It is then opened from its file in a headless Chromium, each time in a new one; "ready"
is the time from the navigation until the first screen is drawn, "all figures" what drawing every
figure takes after that, as scrolling through the page does.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
from playwright.sync_api import Browser, sync_playwright

from prisam_p2p.page.report_file import write_report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from big_run import BigRun, write_big_run

BROWSER = os.environ.get("PRISAM_CHROMIUM") or shutil.which("chromium")  # None: Playwright's own
DEADLINE_MS = 60_000
DRAW = """() => {
    const took = {};
    for (const figure of prisam.views.figures()) {
        if (figure.built) continue;
        const began = performance.now();
        figure.near = true;
        figure.draw();
        took[figure.id] = performance.now() - began;
    }
    return took;
}"""


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--peers", default=200, help="Of the generated run. [200]")
@click.option("--rounds", default=100, help="Of the generated run. [100]")
@click.option("--repeats", default=5, help="Times that the page is opened. [5]")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text")
def main(run: Path | None, peers: int, rounds: int, repeats: int, output: str) -> None:
    """Print the size of a run's page, and the times to make, open and draw it."""
    with tempfile.TemporaryDirectory() as folder:
        if run is None:
            run = write_big_run(Path(folder, "run"), BigRun(peers, rounds))
        page = Path(folder, "page.html")
        began = time.perf_counter()
        n_bytes = write_report([run], page)
        made_s = time.perf_counter() - began
        opened = [open_once(page) for _ in range(repeats)]
    hardware = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if output == "json":
        found = {"hardware": hardware, "n_bytes": n_bytes, "made_s": made_s, "opened": opened}
        print(json.dumps(found, indent=1))
        return
    print(f"{hardware}; the page was opened {repeats} times: median (lowest to highest)")
    print(f"size                {n_bytes / 2**20:8.2f} MiB")
    print(f"made in             {made_s:8.1f} s")
    print(f"ready               {spread([each['ready_ms'] for each in opened])}")
    print(f"all figures         {spread([sum(each['figures_ms'].values()) for each in opened])}")
    for figure in opened[0]["figures_ms"]:
        print(f"  {figure:<22} {spread([each['figures_ms'][figure] for each in opened])}")


def open_once(page: Path) -> dict[str, Any]:
    """Return the times in milliseconds of one opening in a browser of its own."""
    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=BROWSER, args=arguments)
        try:
            return _times(browser, page)
        finally:
            browser.close()


def _times(browser: Browser, page: Path) -> dict[str, Any]:
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready=true]", timeout=DEADLINE_MS)
    ready = tab.evaluate("performance.getEntriesByName('prisam-ready')[0].startTime")
    return {"ready_ms": ready, "figures_ms": tab.evaluate(DRAW)}


def spread(times_ms: list[float]) -> str:
    """Return median, lowest and highest."""
    return f"{median(times_ms):8.0f} ms ({min(times_ms):.0f} to {max(times_ms):.0f})"


if __name__ == "__main__":
    main()
