"""The common style of all figures: fonts, colours for colour-blind readers, layout and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prisam_p2p.experiment.output_specs import Label
from prisam_p2p.measure.files import written_beside
from prisam_p2p.page.palette import COLOURS, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# matplotlib is imported in the functions that use it, because the import takes a second.

MARKERS = "osD^vP*X<>"
DASHES = ("-", "--", "-.", ":")
PANEL_INCHES = (3.6, 2.9)
MOST_ACROSS = 4
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text that can be searched and edited
    "svg.hashsalt": "prisam",
}

_UNDATED = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
"""Ending of a figure's file -> what must not be written into it, lest its bytes differ."""


@dataclass(frozen=True)
class LineStyle:
    """The style of one line: colour, marker and dashes, so that colour is not needed alone."""

    colour: str
    marker: str
    dashes: str


def line_style(index: int) -> LineStyle:
    """Return the style of the line of this number, from 0."""
    return LineStyle(
        COLOURS[index % len(COLOURS)],
        MARKERS[index % len(MARKERS)],
        DASHES[index // len(COLOURS) % len(DASHES)],
    )


def from_nothing_to_much() -> Colormap:
    """Return the colours of a matrix, pale to strong, as a run's page has them."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("prisam", list(SEQUENTIAL))


def whole_numbers(panel: Panel) -> None:
    """Put ticks of the x axis at whole numbers only: there is no round 1.2."""
    from matplotlib.ticker import MaxNLocator

    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def canvas(
    titles: Sequence[str], inches: tuple[float, float] = PANEL_INCHES
) -> tuple[Figure, list[Panel]]:
    """Return a figure with a panel for each title, at most four in a row.

    Args:
        inches: width and height of a panel.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = min(len(titles), MOST_ACROSS)
    down = -(-len(titles) // across)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(inches[0] * across, inches[1] * down), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(down, across, squeeze=False, sharey=True)
    panels = [panel for row in grid for panel in row]
    for panel in panels[len(titles) :]:
        panel.remove()
    for panel, title in zip(panels, titles, strict=False):
        panel.set_title(title, fontsize=9)
    return figure, panels[: len(titles)]


def plain_log(panel: Panel) -> None:
    """Make the x axis logarithmic, with ticks at 1, 2, 5, 10, .. and plain numbers beside them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def legend(figure: Figure, panel: Panel) -> None:
    """Put one legend below all panels, unless it would have a single entry."""
    handles, labels = panel.get_legend_handles_labels()
    if len(labels) < 2:
        return
    for columns in range(min(len(labels), MOST_ACROSS), 0, -1):
        shown = figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False
        )
        if columns == 1 or shown.get_window_extent().width <= figure.bbox.width:
            return
        shown.remove()


def spread_note(figure: Figure, title: str, counts: set[int]) -> None:
    """Put the title above all panels, with a note on the spread and the number of seeds.

    Args:
        counts: numbers of seeds over the figure's values.
    """
    n = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    note = (
        f"mean ± sample standard deviation over n = {n} seeds" if max(counts) > 1 else "n = 1 seed"
    )
    figure.suptitle(f"{title}\n{note}", fontsize=9)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write NAME.png, .svg and .pdf, atomically; the same figure gives the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        for ending, undated in _UNDATED.items():
            metadata = {undated: None}
            with written_beside(folder / f"{name}.{ending}") as part:
                figure.savefig(part, format=ending, dpi=160, metadata=metadata)


def number(label: Label) -> float | None:
    """Return a label as a number, None if it is text."""
    return None if isinstance(label, str) else float(label)


def positions(labels: Sequence[Label]) -> tuple[list[float], bool]:
    """Return the positions of labels on an axis, and whether they are the labels' own values.

    If a label is text, the positions are 0, 1, 2, ..
    """
    numbers = [number(label) for label in labels]
    known = [each for each in numbers if each is not None]
    if len(known) == len(labels):
        return known, True
    return [float(i) for i in range(len(labels))], False
