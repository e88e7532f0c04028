"""Write an experiment's results: tables, figures, and results.md, which shows all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.errors import Undecided
from prisam_p2p.experiment.cell_folder import CellFolder
from prisam_p2p.experiment.code_digest import other_code, present_code
from prisam_p2p.experiment.figure_style import save
from prisam_p2p.experiment.figure_values import mask_values, values_of
from prisam_p2p.experiment.figures import write_figure
from prisam_p2p.experiment.grid_file import Grid
from prisam_p2p.experiment.mask_figures import components, similarity_matrix
from prisam_p2p.experiment.measures import announced
from prisam_p2p.experiment.output_specs import FigureKind, FigureSpec
from prisam_p2p.experiment.statistics import Axes, CellResult
from prisam_p2p.experiment.tables import write_cells, write_table
from prisam_p2p.measure.files import write_whole
from prisam_p2p.report.output import as_text
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import read_summary

_RESUMED = "interrupted and resumed, so that it sent more bytes"
_UNDECIDED = "failed no check, but some checks could not be decided (exit code 5)"
_OF_MASKS = {FigureKind.MASK_SIMILARITY: similarity_matrix, FigureKind.MASK_PCA: components}


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        tables, figures: names of those that were written.
        empty: names of figures without values to show.
        stale: names of the cells that other code than the present made.
    """

    tables: list[str]
    figures: list[str]
    empty: list[str]
    stale: list[str]


def write_results(
    grid: Grid,
    out: Path,
    results: Sequence[CellResult],
    n_cells: int,
    failed: Mapping[str, str],
) -> Written:
    """Write tables/, figures/ and results.md of the finished cells.

    Args:
        out: the experiment's folder.
        n_cells: number of all cells.
        failed: name of a failed cell -> reason.
    """
    axes = {axis: [choice.label for choice in choices] for axis, choices in grid.axes.items()}
    tables, figures = out / "tables", out / "figures"
    for folder in (tables, figures):
        folder.mkdir(exist_ok=True)
    parts = [_heading(grid, results, n_cells, failed)]
    if results:
        write_cells(results, axes, tables)
        parts += [write_table(spec, results, axes, tables) for spec in grid.tables]
    drawn = [spec for spec in grid.figures if _write_figure(spec, results, axes, figures)]
    parts += [f"### {spec.title}\n\n![{spec.title}](figures/{spec.name}.png)\n" for spec in drawn]
    write_whole(out / "results.md", "\n".join(parts))
    return Written(
        [spec.name for spec in grid.tables] if results else [],
        [spec.name for spec in drawn],
        [spec.name for spec in grid.figures if spec not in drawn],
        [result.folder.name for result in results if result.stale],
    )


def _write_figure(
    spec: FigureSpec, results: Sequence[CellResult], axes: Axes, folder: Path
) -> bool:
    """Write a figure and, as NAME.csv, its values; return whether there were any."""
    if spec.kind in _OF_MASKS:
        shown = [r for r in results if all(spec.admits(a, r.labels.get(a)) for a in axes)]
        masks = announced(RunFolder(shown[0].folder / "run"), spec.round) if shown else None
        if masks is None:
            return False
        save(_OF_MASKS[spec.kind](masks, spec.title), folder, spec.name)
        values = mask_values(spec, masks)
    elif write_figure(spec, results, axes, folder):
        values = values_of(spec, results, axes)
    else:
        return False
    write_whole(folder / f"{spec.name}.csv", as_text(values, "csv"))
    return True


def _heading(
    grid: Grid, results: Sequence[CellResult], n_cells: int, failed: Mapping[str, str]
) -> str:
    lines = [f"# {grid.name}", "", grid.description, "", f"{len(results)} of {n_cells} cells."]
    if results:
        hosts = Counter(_host(result) for result in results)
        lines += ["", *(f"{host} ({n} cells)" for host, n in hosts.most_common())]
    endings = {result.folder.name: CellFolder(result.folder).ending() for result in results}
    lines += _checks(results)
    lines += [f"- {_RESUMED}: {name}" for name, end in endings.items() if end and end.resumed]
    lines += [
        f"- {_UNDECIDED}: {name}"
        for name, end in endings.items()
        if end and end.exit_code == Undecided.exit_code
    ]
    lines += [
        f"- {n:.0f} masks, pulls or rounds left out between peers that no fault hit: "
        f"{result.folder.name}"
        for result in results
        if (n := result.measured.values.get("left_out"))
    ]
    lines += [
        f"- {told}: {result.folder}"
        for result in results
        if (told := other_code(result.code, present_code()))
    ]
    lines += [f"- failed: {name}: {reason}" for name, reason in failed.items()]
    return "\n".join(lines) + "\n"


def _checks(results: Sequence[CellResult]) -> list[str]:
    """Return the number of cells by check and verdict, as lines of Markdown."""
    verdicts: dict[str, Counter[str]] = {}
    for result in results:
        for each in read_summary(RunFolder(result.folder / "run")).get("checks", []):
            verdicts.setdefault(each["check"], Counter())[each["verdict"]] += 1
    parts = [
        f"{check} ({', '.join(f'{verdict} in {n}' for verdict, n in found.most_common())})"
        for check, found in verdicts.items()
    ]
    return ["", f"Checks, by cells: {', '.join(parts)}."] if parts else []


def _host(result: CellResult) -> str:
    host = RunFolder(result.folder / "run").plan["host"]
    torch = host["versions"].get("torch", "?")
    commit, _, dirty = (host["git_commit"] or "no checkout").partition("-")
    commit = commit[:12] + (" with changes" if dirty else "")
    return (
        f"Host: {host['cores']} cores, {host['processor']}, {host['memory_mib']:,} MiB, "
        f"{host['system']}, Python {host['python']}, torch {torch}, commit {commit}."
    )
