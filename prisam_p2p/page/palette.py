"""The colours and shapes of all figures: those of the page, and those that matplotlib draws."""

from __future__ import annotations

from typing import Any

# Okabe and Ito, "Color Universal Design", 2008, without yellow, which is too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
COLOURS_ON_DARK = (
    *("#4AA8E8", "#FF8B45", "#2CC79A", "#E9A0C8"),
    *("#9AD4F7", "#F5B942", "#EDEDED", "#A3A3A3"),
)
"""The same hues, in the same order, lighter: they stand on a dark ground."""

_WAITING = ("#747474", "#7C7C7C")

PHASES = {
    "training": ("#0072B2", "#2F86CC"),
    "pulling": ("#D55E00", "#DB6206"),
    "evaluating": ("#009E73", "#2CC79A"),
    "recalibrating": ("#CC79A7", "#CC79A7"),
    "clustering": ("#E69F00", "#F5B942"),
    "averaging": ("#6E1479", "#984496"),
    "pruning": ("#7B5702", "#9E9466"),
    "announcing": ("#C9B491", "#FCE159"),
    "waiting for masks": _WAITING,
    "waiting for its turn": _WAITING,
    "at a barrier": _WAITING,
    "waiting for orders": _WAITING,
    "between two steps": _WAITING,
    "writing state": ("#3DC9D2", "#C0FBE0"),
    "writing the model": ("#3A656E", "#96DEBE"),
    "loading weights": ("#234F57", "#2A7156"),
    "starting": ("#AC8BF9", "#B1A0E6"),
    "connecting": ("#6132AC", "#784ACF"),
    "leaving": ("#946AEA", "#CDBFFC"),
    "serving": ("#7C200A", "#BC4002"),
}
"""What a peer does (docs/run-folder.md, record `spans`) -> its colour on light, and on dark.

Phases that belong together share a hue: masks (yellow), weights on the way (red), the average
(purple), files (turquoise), the process itself (violet). All waiting is grey, so that a look
finds it. The main phases have the hues of Okabe and Ito; the others were searched for so that any
two are told apart by readers who see no red, green or blue (tests/page/test_palette.py).
"""

# Kinds of messages on the wire -> their colour of COLOURS.
KINDS = {"weights": 0, "mask": 1, "request": 5, "hello": 3, "control": 2, "relay": 4}

VERDICTS = {
    "good": ("#00734C", "#3CCB97", "✓"),
    "bad": ("#B3261E", "#FF8A80", "✗"),
    "unknown": ("#6B5900", "#E2C15A", "?"),
    "plain": ("#3D4654", "#B9C2CE", ""),
}
"""Tone -> colour on light, colour on dark, symbol beside it."""

SEQUENTIAL = ("#F2F6FA", "#C5DBEC", "#8DBBDB", "#4A94C3", "#0072B2", "#004A75")
SEQUENTIAL_ON_DARK = ("#18222C", "#1E3A52", "#22587F", "#2B7DB3", "#4AA8E8", "#B5DEFA")
"""From nothing to much."""

DIVERGING = ("#A63C00", "#E08A4F", "#F3CDB2", "#F4F4F2", "#B2D3E8", "#5C9FCB", "#00598C")
DIVERGING_ON_DARK = ("#FF9A5C", "#C4632B", "#6E4028", "#22262B", "#26506E", "#3583B8", "#8FCDF7")
"""From a loss over nothing to a gain."""


def as_json() -> dict[str, Any]:
    """Return the palette as the page reads it (js/theme.js)."""
    return {
        "light": {"colours": COLOURS, "sequential": SEQUENTIAL, "diverging": DIVERGING}
        | {"phases": {name: each[0] for name, each in PHASES.items()}}
        | {"verdicts": {name: each[0] for name, each in VERDICTS.items()}},
        "dark": {"colours": COLOURS_ON_DARK, "sequential": SEQUENTIAL_ON_DARK}
        | {"diverging": DIVERGING_ON_DARK}
        | {"phases": {name: each[1] for name, each in PHASES.items()}}
        | {"verdicts": {name: each[1] for name, each in VERDICTS.items()}},
        "symbols": {name: each[2] for name, each in VERDICTS.items()},
        "kinds": KINDS,
    }
