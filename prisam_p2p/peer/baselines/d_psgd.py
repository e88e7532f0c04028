"""D-PSGD: gossip with all neighbors, towards one model for all.

Source: Lian et al. 2017, "Can Decentralized Algorithms Outperform Centralized Algorithms?",
NeurIPS, with Metropolis weights as the mixing matrix. Its step is one gradient; here it is the
round's local epochs, as for every method.
"""

from __future__ import annotations

from collections.abc import Mapping

from prisam_p2p.core.layout import Weights
from prisam_p2p.core.metropolis import metropolis_weights, mix
from prisam_p2p.peer.baselines.dense import dense_rounds
from prisam_p2p.peer.peer import Peer


def d_psgd(me: Peer) -> None:
    """Deploy what the network agreed on: the average is this method's only model."""
    models = dense_rounds(me, choose=_all, average=_mixed)
    me.deploy({"after_aggregation": models["after_aggregation"]})


def d_psgd_ft(me: Peer) -> None:
    """Deploy the average, or what one round of local training made of the one before it."""
    me.deploy(dense_rounds(me, choose=_all, average=_mixed))


def _all(me: Peer, _t: int) -> list[str]:
    return me.spec.neighbors


def _mixed(me: Peer, members: Mapping[str, Weights]) -> Weights:
    present = {p: me.spec.degrees[p] for p in members if p != me.peer_id}
    shares = metropolis_weights(me.peer_id, len(me.spec.neighbors), present)
    return mix(me.layout, members, shares)
