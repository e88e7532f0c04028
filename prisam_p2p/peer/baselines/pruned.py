"""Baselines that exchange slim models without choosing peers by masks: PRISAM random, Dis-PFL.

They share one round, `pruned_rounds` (train, prune, offer, pull, average, prune), which is
PRISAM's without masks and clustering.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from prisam_p2p.core.layout import narrow
from prisam_p2p.peer.baseline_peer import BaselinePeer


def prisam_random(me: BaselinePeer) -> None:
    """Average slim models with peers drawn uniformly, then prune the average, as PRISAM does.

    It tells what finding peers by their masks is worth. Source: ours.
    """
    pruned_rounds(me, choose=BaselinePeer.draw)


def dis_pfl(me: BaselinePeer) -> None:
    """Run Dis-PFL by channels: average with peers drawn uniformly, each keeping its own mask.

    The original prunes single weights (dis_pfl_erk.py); here PRISAM's pruning of BN channels
    makes the mask.

    Source: Dai et al. 2022, "DisPFL", ICML: random peers, the average over those that retain a
        weight, a personal mask. By channels as in PRISAM, section V.
    """
    pruned_rounds(me, choose=BaselinePeer.draw, own_mask=True)


def pruned_rounds(
    me: BaselinePeer, choose: Callable[[BaselinePeer, int], Collection[str]], own_mask: bool = False
) -> None:
    """Run all rounds and deploy, as `loop.prisam` does, but with other peers.

    Args:
        choose: returns the peers to average with in a round, of all neighbors.
        own_mask: reduce the average to this peer's own mask instead of pruning it anew.
    """
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train_and_regrow(t, weights)
        own = me.prune(t, trained)

        me.offer(t, own)  # no clustering: masks travel with the weights only
        me.evaluate(t, "after_training", own)
        group = me.note_choice(t, choose(me, t), me.hear_of(t))
        pulled = me.pull(t, group)
        pulled = me.check_norms(t, own, pulled)

        average, union = me.average({me.peer_id: own, **pulled})
        if own_mask:
            slim = me.recalibrate(narrow(me.layout, average, own.mask))
        else:
            slim = me.recalibrate(me.prune_average(average, union))
        me.note_aggregation(t, [me.peer_id, *pulled], union, slim)
        me.evaluate(t, "after_aggregation", slim)
        me.guard_accuracy(t)
        weights = narrow(me.layout, average, union) if me.trains_union(t + 1) else slim
        del trained, pulled, average
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": own, "after_aggregation": slim})
