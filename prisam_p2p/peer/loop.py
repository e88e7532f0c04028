"""PRISAM's Algorithm 1, as one peer runs it.

The paper's loop is turned so that a run ends on an aggregation: a round here is its steps 7, 8,
1, 2-3, 4, 5-6, and round 0 trains the common W0 for the warm-up epochs (the paper's init).
It ends after all rounds, at a loss target, or when accuracy no longer rises.
Who is missing in a round is just not among `masks` or `pulled`; the journal says who and why.
"""

from __future__ import annotations

from prisam_p2p.core.layout import narrow
from prisam_p2p.core.masks import prune
from prisam_p2p.peer.peer import Peer


def prisam(me: Peer) -> None:
    """Run all rounds of Algorithm 1, then deploy the better of the last round's two models."""
    weights, first = me.begin()  # W0 and 0, or where the process before this one was
    for t in me.rounds_from(first):
        trained = me.train(t, weights)  # 7: W_i = Train(W_G, own data)
        own = me.prune(t, trained)  # 8: (W~_i, M_i) = Prune(W_i, rho_i)

        me.announce(t, trained, own)  # 1: the mask to all neighbors; the weights wait for pulls
        me.evaluate(t, "after_training", own)
        masks = me.hear(t)
        group = me.find_group(t, masks)  # 2, 3: compact the masks, cluster them
        pulled = me.pull(t, group)  # 4: {W~_j, M_j} of the group's other members
        pulled = me.check_norms(t, own, pulled)  # ours: a device averages nobody's wild weights

        average, union = me.average({me.peer_id: own, **pulled})  # 5, 6: W_G
        slim = me.recalibrate(prune(me.layout, average, union, me.prune_ratio))
        me.note_aggregation(t, [me.peer_id, *pulled], union, slim)
        me.evaluate(t, "after_aggregation", slim)
        me.guard_accuracy(t)
        # What is trained next: a weak device's slim model, or (to let it regrow) the union.
        weights = narrow(me.layout, average, union) if me.trains_union(t + 1) else slim
        del trained, pulled, average  # nobody holds its neighbors' models while it trains
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": own, "after_aggregation": slim})
