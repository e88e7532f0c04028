"""Exact similarity: PRISAM, but peers compare all weights instead of masks.

It tells what masks cost in accuracy and save in bytes. Every peer pulls all trained weights of
every neighbor, clusters the cosines of W_i - W0 with the same K-means, and averages the pruned
weights of its group's members, as PRISAM does.

Source: ours.
"""

from __future__ import annotations

from prisam_p2p.core.layout import narrow
from prisam_p2p.peer.baseline_peer import BaselinePeer


def exact_similarity(me: BaselinePeer) -> None:
    """Choose peers by the cosine of their weight deltas; all other steps are PRISAM's."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train_and_regrow(t, weights)
        own = me.prune(t, trained)

        me.announce_structure(t, trained, own)  # the mask says which of the weights to average
        me.evaluate(t, "after_training", own)
        masks = me.hear(t)
        whole = {me.peer_id: trained, **me.pull(t, list(masks), whole=True)}
        group = me.find_group_by_deltas(t, whole)

        slims = {p: narrow(me.layout, whole[p], masks[p].unpack() & whole[p].mask) for p in group}
        average, union = me.average(slims)
        slim = me.recalibrate(me.prune_average(average, union))
        me.note_aggregation(t, list(group), union, slim)
        me.evaluate(t, "after_aggregation", slim)
        me.guard_accuracy(t)
        weights = narrow(me.layout, average, union) if me.trains_union(t + 1) else slim
        del trained, whole, slims, average
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": own, "after_aggregation": slim})
