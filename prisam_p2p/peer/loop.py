"""PRISAM's Algorithm 1, as one peer runs it.

The paper's loop is rotated so that a run ends with an aggregation: a round is steps 7, 8, 1, 2-3,
4, 5-6, and round 0 trains the common W0 for the warm-up epochs (the paper's initialization).
The loop ends after all rounds, at a target loss, or when accuracy stops rising.
A peer that is missing in a round is absent from `masks` or `pulled`; the journal says why.
"""

from __future__ import annotations

from prisam_p2p.core.layout import narrow
from prisam_p2p.peer.peer import Peer


def prisam(me: Peer) -> None:
    """Run all rounds of Algorithm 1, then deploy the better of the last round's two models."""
    weights, first = me.begin()  # W0 and 0, or what an earlier process left
    for t in me.rounds_from(first):
        trained = me.train_and_regrow(t, weights)  # 7: W_i = Train(W_G, own data)
        own = me.prune(t, trained)  # 8: (W~_i, M_i) = Prune(W_i, rho_i)

        me.announce(t, trained, own)  # 1: send the mask to all neighbors, offer the weights
        me.evaluate(t, "after_training", own)
        masks = me.hear(t)
        group = me.find_group(t, masks)  # 2, 3: compact the masks, cluster them
        pulled = me.pull(t, group)  # 4: {W~_j, M_j} of the group's other members
        pulled = me.check_norms(t, own, pulled)  # not in the paper: drop norm outliers

        average, union = me.average({me.peer_id: own, **pulled})  # 5, 6: W_G
        slim = me.recalibrate(me.prune_average(average, union))
        me.note_aggregation(t, [me.peer_id, *pulled], union, slim)
        me.evaluate(t, "after_aggregation", slim)
        me.guard_accuracy(t)
        # The next round trains the slim model or, to let channels regrow, the union.
        weights = narrow(me.layout, average, union) if me.trains_union(t + 1) else slim
        del trained, pulled, average  # free the neighbors' models before training
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": own, "after_aggregation": slim})
