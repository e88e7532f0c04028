"""Draw figures of one cell's masks: their similarity, and their principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prisam_p2p.experiment.figure_style import canvas, from_nothing_to_much, legend, line_style
from prisam_p2p.experiment.mask_analysis import (
    AnnouncedMasks,
    pair_auc,
    principal_components,
    similarity,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMES = 40


def similarity_matrix(announced: AnnouncedMasks, title: str) -> Figure:
    """Draw the matrix of shares of equal bits, with peers by group and lines between groups."""
    peers, matrix = announced.peers, similarity(announced)
    off_diagonal = matrix[~np.eye(len(peers), dtype=bool)]
    figure, (panel,) = canvas([""], (4.6, 4.4))
    shown = panel.imshow(
        matrix, cmap=from_nothing_to_much(), vmin=float(off_diagonal.min()), vmax=1.0
    )
    panel.grid(visible=False)
    for border in _borders(announced):
        panel.axhline(border, color="0.3", linewidth=1.2)
        panel.axvline(border, color="0.3", linewidth=1.2)
    if len(peers) <= _MOST_NAMES:
        panel.set_xticks(range(len(peers)), peers, rotation=90, fontsize=6)
        panel.set_yticks(range(len(peers)), peers, fontsize=6)
    panel.set_xlabel("peer, ordered by group in the data")
    panel.set_ylabel("peer, ordered by group in the data")
    figure.colorbar(shown, ax=panel, label="share of equal mask bits", shrink=0.8)
    auc = pair_auc(announced)
    note = f"pair AUC {auc:.3f}" if auc is not None else "no groups in the data"
    figure.suptitle(f"{title}\n{note}", fontsize=9)
    return figure


def components(announced: AnnouncedMasks, title: str) -> Figure:
    """Draw the first two principal components of the compact masks, in a style per data group."""
    peers = announced.peers
    points, shares = principal_components(announced)
    figure, (panel,) = canvas([""], (4.4, 3.8))
    for n, group in enumerate(sorted({announced.groups[peer] for peer in peers})):
        mine = [i for i, peer in enumerate(peers) if announced.groups[peer] == group]
        style = line_style(n)
        panel.scatter(
            points[mine, 0],
            points[mine, 1],
            color=style.colour,
            marker=style.marker,
            s=28,
            label=f"group {group}" if group >= 0 else "no group",
        )
    panel.set_xlabel(f"1st principal component ({shares[0]:.0%} of variance)")
    panel.set_ylabel(f"2nd principal component ({shares[1]:.0%} of variance)")
    figure.suptitle(f"{title}\n{len(peers)} peers, compact masks", fontsize=9)
    legend(figure, panel)
    return figure


def _borders(announced: AnnouncedMasks) -> list[float]:
    groups = [announced.groups[peer] for peer in announced.peers]
    return [i - 0.5 for i in range(1, len(groups)) if groups[i] != groups[i - 1]]
