"""Dis-PFL as its authors published it: unstructured sparse weights, random peers.

Weights are trained under a fixed mask. Then some of the kept weights, fewer in each round, are
replaced by those with the largest gradient, and the average over the peers that retain a weight
is reduced to the new mask.

Source: Dai et al. 2022, "DisPFL: Towards Communication-Efficient Personalized Federated Learning
via Decentralized Sparse Training", ICML, and the authors' code (github.com/rong-dai/DisPFL).
"""

from __future__ import annotations

from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.erk import drop_rate, erk_mask
from prisam_p2p.core.layout import narrow
from prisam_p2p.peer.baseline_peer import BaselinePeer


def dis_pfl_erk(me: BaselinePeer) -> None:
    """Run Dis-PFL: train a share of all weights, which each device chooses anew in every round."""
    assert isinstance(me.layout, EntryLayout)
    weights, first = me.begin()
    if weights.mask.all():  # W0: the same mask on every peer
        s = me.settings
        weights = narrow(me.layout, weights, erk_mask(me.layout, s.density, s.seed))
    for t in me.rounds_from(first):
        trained = me.train(t, weights)

        me.offer(t, trained)  # the mask, one bit per weight, travels with the weights
        me.evaluate(t, "after_training", trained)
        rate = drop_rate(t, me.rounds)
        mask = me.drop_and_regrow(trained, me.gradients(t, trained), rate)
        group = me.note_choice(t, me.draw(t), me.hear_of(t))
        pulled = me.pull(t, group, whole=True)

        average, union = me.average({me.peer_id: trained, **pulled})
        weights = me.recalibrate(narrow(me.layout, average, mask))
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        del pulled, average
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
