"""The reports of an experiment's cells: the page of each run, as `prisam report` writes it."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.experiment.cell_folder import CellFolder, cell_folders
from prisam_p2p.page.report_file import write_report


def write_cell_reports(out: Path) -> int:
    """Write the report of each cell's run that has none, or one from before its run ended.

    Returns:
        The number of reports written.

    Raises:
        OSError: a report cannot be written; it names the file.
    """
    outdated = [cell for cell in cell_folders(out) if _has_run(cell) and not _is_reported(cell)]
    for cell in outdated:
        write_report([cell.run.path], cell.report)
    return len(outdated)


def _has_run(cell: CellFolder) -> bool:
    return (cell.run.path / "plan.json").exists()


def _is_reported(cell: CellFolder) -> bool:
    summary = cell.run.path / "summary.json"
    try:
        written_s = cell.report.stat().st_mtime
        return not summary.exists() or written_s >= summary.stat().st_mtime
    except OSError:
        return False
