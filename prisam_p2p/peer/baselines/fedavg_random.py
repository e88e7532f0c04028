"""FedAvg with random peers: is it the choice of peers, or any averaging, that helps?

Source: "FedAvg" in PRISAM, section V: McMahan et al. 2017, AISTATS, without a server; each device
averages with peers that are drawn anew in each round.
"""

from __future__ import annotations

from prisam_p2p.peer.baselines.dense import dense_rounds
from prisam_p2p.peer.peer import Peer


def fedavg_random(me: Peer) -> None:
    """Average whole models with peers drawn uniformly."""
    me.deploy(dense_rounds(me, choose=Peer.draw))
