"""Dis-PFL as PRISAM compares with it: PRISAM's pruning and averaging, with random peers.

Source: "Dis-PFL" in PRISAM, section V. The original is another method: dis_pfl_erk.py.
"""

from __future__ import annotations

from prisam_p2p.peer.baselines.pruned import pruned_rounds
from prisam_p2p.peer.peer import Peer


def dis_pfl(me: Peer) -> None:
    """Average slim models where they overlap with peers drawn uniformly."""
    pruned_rounds(me, choose=Peer.draw)
