"""Dis-PFL by channels: slim models, each under its device's own mask, averaged with random peers.

Source: Dai et al. 2022, "DisPFL", ICML (random peers, the average over who retains a weight, a
personal mask), with PRISAM's pruning of BN channels, as in PRISAM, section V. The original prunes
single weights: dis_pfl_erk.py.
"""

from __future__ import annotations

from prisam_p2p.peer.baselines.pruned import pruned_rounds
from prisam_p2p.peer.peer import Peer


def dis_pfl(me: Peer) -> None:
    """Average slim models where they overlap with peers drawn uniformly; keep the own mask."""
    pruned_rounds(me, choose=Peer.draw, own_mask=True)
