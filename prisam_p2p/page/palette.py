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

# What a peer does (docs/run-folder.md, record `spans`) -> its colour of COLOURS. Work has the
# strong hues; all waiting is grey, so that a look finds it.
PHASES = {
    "training": 0,
    "pulling": 1,
    "evaluating": 2,
    "recalibrating": 3,
    "clustering": 5,
    "averaging": 4,
    "pruning": 5,
    "announcing": 4,
    "waiting for masks": 7,
    "waiting for its turn": 7,
    "at a barrier": 7,
    "waiting for orders": 7,
    "between two steps": 7,
    "writing state": 6,
    "writing the model": 6,
    "loading weights": 6,
    "starting": 6,
    "connecting": 6,
    "leaving": 6,
    "serving": 1,
}

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
        | {"verdicts": {name: each[0] for name, each in VERDICTS.items()}},
        "dark": {"colours": COLOURS_ON_DARK, "sequential": SEQUENTIAL_ON_DARK}
        | {"diverging": DIVERGING_ON_DARK}
        | {"verdicts": {name: each[1] for name, each in VERDICTS.items()}},
        "symbols": {name: each[2] for name, each in VERDICTS.items()},
        "phases": PHASES,
        "kinds": KINDS,
    }
