"""PRISAM's round with peers that no mask chose: train, prune, offer, pull, average, prune.

`prisam_random` is nothing but that: what finding peers is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from prisam_p2p.core.layout import narrow
from prisam_p2p.core.masks import prune
from prisam_p2p.peer.peer import Peer


def prisam_random(me: Peer) -> None:
    """Average slim models with peers drawn uniformly, and prune the average anew."""
    pruned_rounds(me, choose=Peer.draw)


def pruned_rounds(
    me: Peer, choose: Callable[[Peer, int], Collection[str]], own_mask: bool = False
) -> None:
    """Run all rounds and deploy, as `loop.prisam` but for whom to average with.

    Args:
        choose: returns whose models to pull in a round, of all neighbors.
        own_mask: the device's own mask takes hold of the average, which is not re-ranked.
    """
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        own = me.prune(t, trained)

        me.offer(t, own)  # nobody clusters: the masks travel with the weights alone
        me.evaluate(t, "after_training", own)
        group = me.note_choice(t, choose(me, t), me.hear_of(t))
        pulled = me.pull(t, group)
        pulled = me.check_norms(t, own, pulled)

        average, union = me.average({me.peer_id: own, **pulled})
        if own_mask:
            slim = me.recalibrate(narrow(me.layout, average, own.mask))
        else:
            slim = me.recalibrate(prune(me.layout, average, union, me.prune_ratio))
        me.note_aggregation(t, [me.peer_id, *pulled], union, slim)
        me.evaluate(t, "after_aggregation", slim)
        me.guard_accuracy(t)
        weights = narrow(me.layout, average, union) if me.trains_union(t + 1) else slim
        del trained, pulled, average
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": own, "after_aggregation": slim})


# Dis-PFL by channels: slim models, each under its device's own mask, averaged with random peers.
#
# Source: Dai et al. 2022, "DisPFL", ICML (random peers, the average over who retains a weight, a
# personal mask), with PRISAM's pruning of BN channels, as in PRISAM, section V. The original prunes
# single weights: dis_pfl_erk.py.


def dis_pfl(me: Peer) -> None:
    """Average slim models where they overlap with peers drawn uniformly; keep the own mask."""
    pruned_rounds(me, choose=Peer.draw, own_mask=True)
