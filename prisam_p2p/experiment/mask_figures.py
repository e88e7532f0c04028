"""Figures of the masks of one cell: how similar they are, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prisam_p2p.experiment.drawing import canvas, legend, look
from prisam_p2p.experiment.masks import Announced, pair_auc, principal_components, similarity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMES = 40


def similarity_matrix(announced: Announced, title: str) -> Figure:
    """A matrix of the share of equal bits, peers ordered by group, lines between groups."""
    peers, matrix = announced.peers, similarity(announced)
    off_diagonal = matrix[~np.eye(len(peers), dtype=bool)]
    figure, (panel,) = canvas([""], (4.6, 4.4))
    shown = panel.imshow(matrix, cmap="cividis", vmin=float(off_diagonal.min()), vmax=1.0)
    panel.grid(visible=False)
    for border in _borders(announced):
        panel.axhline(border, color="white", linewidth=1.2)
        panel.axvline(border, color="white", linewidth=1.2)
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


def components(announced: Announced, title: str) -> Figure:
    """The compact masks' first two principal components, a look for each group in the data."""
    peers = announced.peers
    points, shares = principal_components(announced)
    figure, (panel,) = canvas([""], (4.4, 3.8))
    for n, group in enumerate(sorted({announced.groups[peer] for peer in peers})):
        mine = [i for i, peer in enumerate(peers) if announced.groups[peer] == group]
        style = look(n)
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


def _borders(announced: Announced) -> list[float]:
    groups = [announced.groups[peer] for peer in announced.peers]
    return [i - 0.5 for i in range(1, len(groups)) if groups[i] != groups[i - 1]]
