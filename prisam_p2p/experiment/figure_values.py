"""The values that a figure shows, as a table, for readers and for programs. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from prisam_p2p.experiment.catalog import OF_COST
from prisam_p2p.experiment.mask_analysis import (
    AnnouncedMasks,
    principal_components,
    similarity,
)
from prisam_p2p.experiment.output_specs import ROUND, FigureKind, FigureSpec
from prisam_p2p.experiment.statistics import Axes, CellResult, grouped, points
from prisam_p2p.experiment.tables import STATISTICS
from prisam_p2p.report.run_tables import Table

_PAIR = {
    **{"peer": "VARCHAR", "other": "VARCHAR"},
    **{"group": "BIGINT", "other_group": "BIGINT", "equal_bits": "DOUBLE"},
}
_COMPONENTS = {
    **{"peer": "VARCHAR", "group": "BIGINT"},
    **{"component_1": "DOUBLE", "component_2": "DOUBLE"},
}


def values_of(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Table:
    """Return a row for each point of a figure of measures: its measure, labels and statistics.

    The labels are those of panel and line and, last, of the round or of the x axis if there is one;
    rounds are counted from 1, as the figure's axis does.
    """
    over = spec.kind in (FigureKind.OVER_ROUNDS, FigureKind.OVER_BYTES)
    rounds = sorted({t for result in results for t in result.measured.rounds}) if over else None
    along = [axis for axis in (spec.panels, spec.lines) if axis]
    by = [*along, *([ROUND] if over else [spec.x] if spec.x else [])]
    rows = []
    for measure in _measures(spec):
        found = points(results, axes, spec, measure, rounds)
        for labels, each in grouped(found, by).items():
            *others, last = labels
            shown = [*others, int(last) + 1] if over else labels
            numbers = [getattr(each, column) for column in STATISTICS]
            rows.append([measure, *map(str, shown), *numbers])
    columns = {"measure": "VARCHAR", **dict.fromkeys(by, "VARCHAR"), **STATISTICS}
    return Table(spec.name, columns, rows)


def mask_values(spec: FigureSpec, announced: AnnouncedMasks) -> Table:
    """Return what a figure of masks shows: a row for each pair of peers, or for each peer."""
    peers, groups = announced.peers, announced.groups
    if spec.kind is FigureKind.MASK_SIMILARITY:
        matrix = similarity(announced)
        pairs = [(i, j) for i in range(len(peers)) for j in range(i)]
        alike = [
            [peers[i], peers[j], groups[peers[i]], groups[peers[j]], float(matrix[i, j])]
            for i, j in pairs
        ]
        return Table(spec.name, _PAIR, alike)
    places, _ = principal_components(announced)
    rows = [[peer, groups[peer], *map(float, at)] for peer, at in zip(peers, places, strict=True)]
    return Table(spec.name, _COMPONENTS, rows)


def _measures(spec: FigureSpec) -> Sequence[str]:
    if spec.kind is FigureKind.COST:
        return OF_COST
    over = "sent_mib" if spec.kind is FigureKind.OVER_BYTES else spec.x_measure
    return [each for each in (spec.measure, over) if each]
