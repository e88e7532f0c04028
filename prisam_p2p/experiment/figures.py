"""Draw figures of measures: over rounds, bytes or each other, against an axis, as bars, of cost."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prisam_p2p.experiment.catalog import CATALOG, OF_COST
from prisam_p2p.experiment.figure_style import (
    MOST_ACROSS,
    canvas,
    legend,
    line_style,
    plain_log,
    positions,
    save,
    spread_note,
    whole_numbers,
)
from prisam_p2p.experiment.output_specs import ROUND, FigureKind, FigureSpec, Label
from prisam_p2p.experiment.statistics import (
    Axes,
    CellResult,
    Stat,
    grouped,
    labels_along,
    points,
)
from prisam_p2p.page.palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

_LABEL_WIDTH = 34

Stats = dict[tuple[Label, ...], Stat]


def draw(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Return the figure, None if there are no values to show."""
    return _DRAW[spec.kind](spec, results, axes)


def write_figure(spec: FigureSpec, results: Sequence[CellResult], axes: Axes, folder: Path) -> bool:
    """Write NAME.png, .svg and .pdf; return whether there were values to show."""
    figure = draw(spec, results, axes)
    if figure is not None:
        save(figure, folder, spec.name)
    return figure is not None


def over_rounds(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Draw a line with a band for each label of `lines`, over the rounds."""
    stats = _round_stats(spec, results, axes, spec.measure or "")
    if not stats:
        return None
    figure, panels = canvas(_titles(spec, axes))
    for panel, n, key, label in _each_line(spec, axes, panels):
        rounds = sorted(int(t) for *k, t in stats if tuple(k) == key)
        if rounds:
            _line(panel, [t + 1.0 for t in rounds], [stats[*key, t] for t in rounds], n, label)
        whole_numbers(panel)
    _label(panels, "rounds", CATALOG[spec.measure or ""].title)
    return _finish(figure, panels, spec, stats)


def over_bytes(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Draw a line for each label of `lines`, over the MiB that all peers had sent.

    Methods that send nothing are horizontal lines at their last value.
    """
    stats = _round_stats(spec, results, axes, spec.measure or "")
    sent = _round_stats(spec, results, axes, "sent_mib")
    if not stats:
        return None
    figure, panels = canvas(_titles(spec, axes))
    for panel, n, key, label in _each_line(spec, axes, panels):
        rounds = sorted(int(t) for *k, t in stats if tuple(k) == key)
        if not rounds:
            continue
        mib = [sent[*key, t].mean for t in rounds]
        if mib[-1] > 0:
            _line(panel, mib, [stats[*key, t] for t in rounds], n, label)
        else:
            last, style = stats[*key, rounds[-1]], line_style(n)
            panel.axhline(
                last.mean, color=style.colour, linestyle=":", label=f"{label} (sends nothing)"
            )
    for panel in panels:
        plain_log(panel)
    _label(panels, CATALOG["sent_mib"].title, CATALOG[spec.measure or ""].title)
    return _finish(figure, panels, spec, stats)


def scatter(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Draw a point with error bars for each label of `lines`: one measure over another.

    The x axis is logarithmic; a label whose value there is 0 is a horizontal line.
    """
    of_y = grouped(points(results, axes, spec, spec.measure or "", None), _panel_and_line(spec))
    of_x = grouped(points(results, axes, spec, spec.x_measure or "", None), _panel_and_line(spec))
    stats = {key: each for key, each in of_y.items() if key in of_x}
    if not stats:
        return None
    figure, panels = canvas(_titles(spec, axes))
    for panel, n, key, label in _each_line(spec, axes, panels):
        if key not in stats:
            continue
        x, y, style = of_x[key], stats[key], line_style(n)
        if x.mean == 0:
            panel.axhline(y.mean, color=style.colour, linestyle=":", label=f"{label} (at 0)")
        else:
            panel.errorbar(
                [x.mean],
                [y.mean],
                xerr=[x.sd or 0.0],
                yerr=[y.sd or 0.0],
                fmt=style.marker,
                color=style.colour,
                fillstyle="full" if n < len(COLOURS) else "none",
                markersize=5,
                capsize=2,
                linewidth=0.8,
                label=label,
            )
    for panel in panels:
        plain_log(panel)
    _label(panels, CATALOG[spec.x_measure or ""].title, CATALOG[spec.measure or ""].title)
    return _finish(figure, panels, spec, stats)


def against_axis(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Draw a line with error bars for each label of `lines`, over the labels of `x`."""
    stats = _end_stats(spec, results, axes)
    if not stats:
        return None
    labels = labels_along(spec.x or "", spec, axes)
    places, as_numbers = positions(labels)
    figure, panels = canvas(_titles(spec, axes))
    for panel, n, key, label in _each_line(spec, axes, panels):
        x, there = _there(stats, key, places, labels)
        if there:
            _line(panel, x, there, n, label, error_bars=True, joined=as_numbers)
    for panel in panels:
        if as_numbers:
            panel.set_xticks(places)
        else:
            panel.set_xticks(places, [str(v) for v in labels], rotation=20, ha="right")
    _label(panels, spec.x_label or spec.x or "", CATALOG[spec.measure or ""].title)
    return _finish(figure, panels, spec, stats)


def bars(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Draw a group of bars for each label of `x`, with a bar for each label of `lines`."""
    stats = _end_stats(spec, results, axes)
    if not stats:
        return None
    labels = labels_along(spec.x or "", spec, axes)
    n_lines = len(labels_along(spec.lines, spec, axes)) if spec.lines else 1
    width = 0.8 / n_lines
    figure, panels = canvas(
        _titles(spec, axes), (max(3.6, 0.28 * len(labels) * n_lines + 1.0), 3.0)
    )
    for panel, n, key, label in _each_line(spec, axes, panels):
        x, there = _there(stats, key, range(len(labels)), labels)
        panel.bar(
            [i + (n - (n_lines - 1) / 2) * width for i in x],
            [s.mean for s in there],
            width,
            yerr=[s.sd or 0.0 for s in there],
            capsize=2,
            error_kw={"linewidth": 0.8},
            label=label,
            color=line_style(n).colour,
            edgecolor="white",
            hatch=("", "//", "..", "xx")[n // len(COLOURS) % 4],
        )
    for panel in panels:
        panel.set_xticks(range(len(labels)), [str(v) for v in labels])
        panel.set_xlim(-0.5, len(labels) - 0.5)
        panel.grid(visible=False, axis="x")
        panel.set_axisbelow(True)
    _label(panels, spec.x_label or spec.x or "", CATALOG[spec.measure or ""].title)
    return _finish(figure, panels, spec, stats)


def cost(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Figure | None:
    """Draw MACs and bytes as shares of the dense model's, over prune ratios, and (1 - rho)²."""
    all_points = {m: points(results, axes, spec, m, None) for m in OF_COST}
    of = {m: grouped(each, [spec.x or ""]) for m, each in all_points.items()}
    labels = labels_along(spec.x or "", spec, axes)
    places, as_numbers = positions(labels)
    if not any(of.values()) or not as_numbers:
        return None
    figure, panels = canvas([""])
    curve = [i / 100 for i in range(100)]
    panels[0].plot(
        curve, [(1 - r) ** 2 for r in curve], color="#7F7F7F", linewidth=1, label="(1 - rho)²"
    )
    for n, (measure, stats) in enumerate(of.items()):
        x, there = _there(stats, (), places, labels)
        if there:
            title = CATALOG[measure].title.split(",")[0]
            _line(panels[0], x, there, n, title, joined=False)
    _label(panels, spec.x_label or "prune ratio", "share of the dense model's")
    panels[0].set_ylim(0, 1.05)
    merged: Stats = {(m, *k): s for m, stats in of.items() for k, s in stats.items()}
    return _finish(figure, panels, spec, merged)


_DRAW: dict[FigureKind, Callable[[FigureSpec, Sequence[CellResult], Axes], Figure | None]] = {
    FigureKind.OVER_ROUNDS: over_rounds,
    FigureKind.OVER_BYTES: over_bytes,
    FigureKind.SCATTER: scatter,
    FigureKind.AGAINST: against_axis,
    FigureKind.BARS: bars,
    FigureKind.COST: cost,
}


def _line(
    panel: Panel,
    x: Sequence[float],
    stats: Sequence[Stat],
    n: int,
    label: str,
    error_bars: bool = False,
    joined: bool = True,
) -> None:
    style, means = line_style(n), [s.mean for s in stats]
    spreads = [s.sd or 0.0 for s in stats]
    low = [m - s for m, s in zip(means, spreads, strict=True)]
    high = [m + s for m, s in zip(means, spreads, strict=True)]
    if error_bars or not joined:
        panel.errorbar(
            x,
            means,
            yerr=spreads,
            fmt=style.marker,
            linestyle=style.dashes if joined else "none",
            color=style.colour,
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=label,
        )
        return
    panel.plot(
        x,
        means,
        color=style.colour,
        marker=style.marker,
        markersize=3,
        linestyle=style.dashes,
        linewidth=1.2,
        label=label,
    )
    panel.fill_between(x, low, high, color=style.colour, alpha=0.15, linewidth=0)


def _there(
    stats: Stats, key: tuple[Label, ...], places: Sequence[float], labels: Sequence[Label]
) -> tuple[list[float], list[Stat]]:
    """Return the positions and statistics of those labels that have values."""
    known = [(x, v) for x, v in zip(places, labels, strict=True) if (*key, v) in stats]
    return [x for x, _ in known], [stats[*key, v] for _, v in known]


def _round_stats(
    spec: FigureSpec, results: Sequence[CellResult], axes: Axes, measure: str
) -> Stats:
    rounds = sorted({t for result in results for t in result.measured.rounds})
    found = points(results, axes, spec, measure, rounds)
    return grouped(found, [*_panel_and_line(spec), ROUND])


def _end_stats(spec: FigureSpec, results: Sequence[CellResult], axes: Axes) -> Stats:
    found = points(results, axes, spec, spec.measure or "", None)
    return grouped(found, [*_panel_and_line(spec), spec.x or ""])


def _panel_and_line(spec: FigureSpec) -> list[str]:
    return [axis for axis in (spec.panels, spec.lines) if axis]


def _titles(spec: FigureSpec, axes: Axes) -> list[str]:
    return [str(v) for v in labels_along(spec.panels, spec, axes)] if spec.panels else [""]


def _each_line(
    spec: FigureSpec, axes: Axes, panels: Sequence[Panel]
) -> Iterator[tuple[Panel, int, tuple[Label, ...], str]]:
    """Yield the panel, the number of the line, the labels of panel and line, and its name."""
    of_panels = labels_along(spec.panels, spec, axes) if spec.panels else [None]
    of_lines = labels_along(spec.lines, spec, axes) if spec.lines else [None]
    for panel, of_panel in zip(panels, of_panels, strict=True):
        for n, of_line in enumerate(of_lines):
            key = tuple(label for label in (of_panel, of_line) if label is not None)
            yield panel, n, key, str(of_line) if of_line is not None else ""


def _label(panels: Sequence[Panel], x: str, y: str) -> None:
    for panel in panels:
        panel.set_xlabel(x)
    for panel in panels[::MOST_ACROSS]:
        panel.set_ylabel(textwrap.fill(y, _LABEL_WIDTH))


def _finish(figure: Figure, panels: Sequence[Panel], spec: FigureSpec, stats: Stats) -> Figure:
    spread_note(figure, spec.title, {each.n for each in stats.values()})
    legend(figure, max(panels, key=lambda p: len(p.get_legend_handles_labels()[1])))
    return figure
