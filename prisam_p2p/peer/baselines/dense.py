"""Baselines that exchange whole models: D-PSGD, FedAvg with random peers, and the oracle.

They share one round, `dense_rounds` (train, offer, pull, average), and differ in the peers that
they choose and in how they average. `oracle_pruned` is the oracle with slim models.
Those whose names end in `ft` fine-tune the last average on own data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prisam_p2p.core.layout import Weights
from prisam_p2p.core.metropolis import metropolis_weights, mix
from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.baselines.pruned import pruned_rounds


def plain_mean(me: BaselinePeer, members: Mapping[str, Weights]) -> Weights:
    """Return the members' unweighted average, or the robust one that `aggregation` names."""
    average, _ = me.average(members)
    return average


def dense_rounds(
    me: BaselinePeer,
    choose: Callable[[BaselinePeer, int], Collection[str]],
    average: Callable[[BaselinePeer, Mapping[str, Weights]], Weights] = plain_mean,
) -> dict[str, Weights]:
    """Run all rounds with whole models.

    Args:
        choose: returns the peers to average with in a round, of all neighbors.
        average: averages this peer's model and those that arrived.

    Returns:
        Moment -> the last round's model at that moment.
    """
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)

        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        group = me.note_choice(t, choose(me, t), me.hear_of(t))
        pulled = me.pull(t, group, whole=True)
        pulled = me.check_norms(t, trained, pulled)

        averaged = me.average_by(average, {me.peer_id: trained, **pulled})
        weights = me.recalibrate(averaged)
        me.note_aggregation(t, [me.peer_id, *pulled], weights.mask, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    return {"after_training": trained, "after_aggregation": weights}


def d_psgd(me: BaselinePeer) -> None:
    """Run D-PSGD: gossip with all neighbors towards one model for all, the average.

    One of its steps is one gradient; here it is a round's local epochs, as for every method.

    Source: Lian et al. 2017, "Can Decentralized Algorithms Outperform Centralized Algorithms?",
        NeurIPS, with Metropolis weights as the mixing matrix.
    """
    models = dense_rounds(me, choose=_all, average=_mixed)
    me.deploy({"after_aggregation": models["after_aggregation"]})


def d_psgd_ft(me: BaselinePeer) -> None:
    """Run D-PSGD, then fine-tune the last average on own data; deploy the better of these two.

    Source: as `d_psgd`; fine-tuning as in `fedavg_ft`.
    """
    models = dense_rounds(me, choose=_all, average=_mixed)
    _deploy_fine_tuned(me, models["after_aggregation"])


def _all(me: BaselinePeer, _t: int) -> list[str]:
    return me.neighbors


def _mixed(me: BaselinePeer, members: Mapping[str, Weights]) -> Weights:
    present = {p: me.degrees[p] for p in members if p != me.peer_id}
    shares = metropolis_weights(me.peer_id, me.degree, present)
    return mix(me.layout, members, shares)


def fedavg_random(me: BaselinePeer) -> None:
    """Average whole models with peers drawn uniformly in each round.

    It tells whether choosing peers helps, or averaging with any.

    Source: "FedAvg" in PRISAM, section V: McMahan et al. 2017, AISTATS, without a server.
    """
    me.deploy(dense_rounds(me, choose=BaselinePeer.draw))


def fedavg_ft(me: BaselinePeer) -> None:
    """Run `fedavg_random`, then fine-tune the last average; deploy the better of these two.

    Source: as `fedavg_random`; fine-tuning: Wang et al. 2019, "Federated Evaluation of On-device
        Personalization", arXiv 1910.10252; its strength: Cheng, Chadha and Duchi 2021, "Fine-tuning
        is Fine in Federated Learning", arXiv 2108.07313.
    """
    models = dense_rounds(me, choose=BaselinePeer.draw)
    _deploy_fine_tuned(me, models["after_aggregation"])


def _deploy_fine_tuned(me: BaselinePeer, average: Weights) -> None:
    me.deploy({"after_aggregation": average, "after_fine_tuning": me.fine_tune(average)})


def oracle(me: BaselinePeer) -> None:
    """Average whole models within the peer's data group, which it is told.

    It bounds what any choice of peers can reach. No real device knows its data group; the
    partition of the data must have groups.

    Source: ours.
    """
    me.deploy(dense_rounds(me, choose=_true_group))


def oracle_pruned(me: BaselinePeer) -> None:
    """Average slim models within the peer's data group: PRISAM without its clustering.

    Source: ours.
    """
    pruned_rounds(me, choose=_true_group)


def _true_group(me: BaselinePeer, _t: int) -> list[str]:
    return me.true_group
