"""Write an experiment's tables: Markdown for people, CSV and Parquet for programs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from prisam_p2p.experiment.catalog import CATALOG
from prisam_p2p.experiment.output_specs import Label, Relation, TableSpec
from prisam_p2p.experiment.statistics import (
    Axes,
    CellResult,
    Stat,
    against,
    grouped,
    labels_along,
    points,
)
from prisam_p2p.measure.files import write_whole
from prisam_p2p.report.database import write_parquet
from prisam_p2p.report.output import as_text
from prisam_p2p.report.run_tables import Table

STATISTICS = {
    **dict.fromkeys(("mean", "sd", "low", "high"), "DOUBLE"),
    **dict.fromkeys(("n", "stale"), "BIGINT"),
}
"""The columns of `Stat` and their SQL types."""

_CODE = {"code_digest": "VARCHAR", "stale": "BOOLEAN"}
_STALE = "†"
_EXPLAINED = (
    f"{_STALE} Cells of other code than the present are in this mean; "
    "`prisam experiment FILE --rerun-stale` runs them anew."
)

Stats = Mapping[str, Mapping[tuple[Label, ...], Stat]]
"""Measure -> labels of the table's axes -> statistics."""


def stats_of(spec: TableSpec, results: Sequence[CellResult], axes: Axes) -> Stats:
    """Return the statistics that a table shows."""
    found = {}
    for measure in spec.measures:
        each = points(results, axes, spec, measure, spec.rounds)
        found[measure] = grouped(against(each, spec) if spec.against else each, spec.axes)
    return found


def tidy(spec: TableSpec, stats: Stats) -> Table:
    """Return the statistics in tidy form: a row for each measure and combination of labels."""
    columns = {"measure": "VARCHAR", **dict.fromkeys(spec.axes, "VARCHAR"), **STATISTICS}
    rows = [
        [measure, *map(str, labels), *(getattr(each, column) for column in STATISTICS)]
        for measure, by_labels in stats.items()
        for labels, each in by_labels.items()
    ]
    return Table(spec.name, columns, rows)


def markdown(spec: TableSpec, stats: Stats, axes: Axes) -> str:
    """Return the table as Markdown: mean ± sample standard deviation, and n if it varies."""
    counts = {each.n for by_labels in stats.values() for each in by_labels.values()}
    n = counts.pop() if len(counts) == 1 else None
    stale = any(each.stale for by_labels in stats.values() for each in by_labels.values())
    lines = [f"### {spec.title}", "", _caption(spec, n) + (f" {_EXPLAINED}" if stale else "")]
    heads = [labels_along(axis, spec, axes, spec.rounds or ()) for axis in spec.rows]
    rows = list(itertools.product(*heads))
    if spec.columns is None:
        titles = [CATALOG[measure].title for measure in spec.measures]
        cells = [[_cell(stats[m].get(row), m, spec, n) for m in spec.measures] for row in rows]
        lines += ["", *_grid(spec.rows, titles, rows, cells)]
    else:
        across = labels_along(spec.columns, spec, axes, spec.rounds or ())
        across = [a for a in across if a != spec.against.get(spec.columns)]
        for measure in spec.measures:
            of = stats[measure]
            cells = [[_cell(of.get((*row, a)), measure, spec, n) for a in across] for row in rows]
            lines += ["", f"{CATALOG[measure].title}:", ""]
            lines += _grid(spec.rows, list(map(str, across)), rows, cells)
    return "\n".join(lines) + "\n"


def write_table(spec: TableSpec, results: Sequence[CellResult], axes: Axes, folder: Path) -> str:
    """Write NAME.md, NAME.csv and NAME.parquet; return the Markdown."""
    stats = stats_of(spec, results, axes)
    text = markdown(spec, stats, axes)
    write_whole(folder / f"{spec.name}.md", text)
    _write_both(tidy(spec, stats), folder)
    return text


def write_cells(results: Sequence[CellResult], axes: Axes, folder: Path) -> None:
    """Write all measures of all cells as the tables cells and rounds, in CSV and Parquet."""
    names = dict.fromkeys(axes, "VARCHAR")
    by_round = {m: "DOUBLE" for m, measure in CATALOG.items() if measure.by_round}
    measures = dict.fromkeys((m for m in _at_the_end(results) if m not in axes), "DOUBLE")
    ends = [
        [*_labels(r, axes), *(r.measured.values.get(m) for m in measures), *_code(r)]
        for r in results
    ]
    rounds = [
        [*_labels(r, axes), t, *(values.get(m) for m in by_round)]
        for r in results
        for t, values in r.measured.rounds.items()
    ]
    _write_both(Table("cells", {**names, **measures, **_CODE}, ends), folder)
    _write_both(Table("rounds", {**names, "round": "BIGINT", **by_round}, rounds), folder)


def _at_the_end(results: Sequence[CellResult]) -> list[str]:
    return [m for m in CATALOG if any(m in r.measured.values for r in results)]


def _labels(result: CellResult, axes: Axes) -> list[str | None]:
    return [str(result.labels[a]) if a in result.labels else None for a in axes]


def _code(result: CellResult) -> list[str | bool]:
    return [" ".join(result.code), result.stale]


def _write_both(table: Table, folder: Path) -> None:
    write_whole(folder / f"{table.name}.csv", as_text(table, "csv"))
    write_parquet(table, folder / f"{table.name}.parquet")


def _caption(spec: TableSpec, n: int | None) -> str:
    counted = f"n = {n} seeds" if n is not None else "n in brackets"
    parts = [f"Mean ± sample standard deviation over the seeds, {counted}."]
    if spec.against:
        labels = ", ".join(map(str, spec.against.values()))
        relation = "minus" if spec.relation is Relation.DIFFERENCE else "divided by"
        parts.append(f"Each seed's value {relation} that of {labels}.")
    if spec.where:
        shown = "; ".join(f"{axis}: {_listed(label)}" for axis, label in spec.where.items())
        parts.append(f"Only {shown}.")
    return " ".join(parts)


def _listed(label: Label | list[Label]) -> str:
    return ", ".join(map(str, label)) if isinstance(label, list) else str(label)


def _cell(each: Stat | None, measure: str, spec: TableSpec, n: int | None) -> str:
    if each is None:
        return "-"
    decimals = CATALOG[measure].decimals
    sign = ""
    if spec.against:
        decimals = max(decimals, 3) if spec.relation is Relation.RATIO else decimals
        sign = "+" if spec.relation is Relation.DIFFERENCE else ""
    text = f"{each.mean:{sign},.{decimals}f}"
    if each.sd is not None:
        text += f" ± {each.sd:,.{decimals}f}"
    text = text if n is not None else f"{text} ({each.n})"
    return f"{text} {_STALE}" if each.stale else text


def _grid(
    names: Sequence[str],
    titles: Sequence[str],
    rows: Iterable[tuple[Label, ...]],
    cells: Iterable[Sequence[str]],
) -> list[str]:
    lines = [_line([*names, *titles]), _line(["---"] * len(names) + ["---:"] * len(titles))]
    for row, values in zip(rows, cells, strict=True):
        if any(value != "-" for value in values):
            lines.append(_line([*map(str, row), *values]))
    return lines


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
