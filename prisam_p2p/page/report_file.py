"""The page of runs as a file: what `prisam report` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prisam_p2p.measure.files import written_beside
from prisam_p2p.page.assembly import page_of
from prisam_p2p.page.data.fold import FORMAT
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.report.run_folder import RunFolder

REPORT = "report.html"


def write_report(folders: Sequence[Path], path: Path, redact: bool = False) -> int:
    """Write the page of runs beside `path` and rename it; return its bytes.

    Raises:
        ConfigError: one of them is no run folder.
        OSError: the file cannot be written; it names the file.
    """
    pages = [page_data_of(RunFolder(folder), redact) for folder in folders]
    runs = [run for page in pages for run in page["runs"]]
    title = ", ".join(run["facts"]["name"] for run in runs)
    page = page_of({"format": FORMAT, "runs": runs}, title).encode()
    with written_beside(path) as beside:
        beside.write_bytes(page)
    return len(page)
