"""The round that baselines of whole models share: train, offer, pull, average."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prisam_p2p.core.layout import Weights
from prisam_p2p.core.metropolis import metropolis_weights, mix
from prisam_p2p.peer.baselines.pruned import pruned_rounds
from prisam_p2p.peer.peer import Peer


def plain_mean(me: Peer, members: Mapping[str, Weights]) -> Weights:
    """Return the members' average, each counting the same (or as --aggregation says)."""
    average, _ = me.average(members)
    return average


def dense_rounds(
    me: Peer,
    choose: Callable[[Peer, int], Collection[str]],
    average: Callable[[Peer, Mapping[str, Weights]], Weights] = plain_mean,
) -> dict[str, Weights]:
    """Run all rounds; return the last one's two models by moment.

    Args:
        choose: returns whose models to pull in a round, of all neighbors.
        average: of the own model and those that arrived.
    """
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)

        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        group = me.note_choice(t, choose(me, t), me.hear_of(t))
        pulled = me.pull(t, group, whole=True)
        pulled = me.check_norms(t, trained, pulled)

        weights = me.recalibrate(average(me, {me.peer_id: trained, **pulled}))
        me.note_aggregation(t, [me.peer_id, *pulled], weights.mask, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    return {"after_training": trained, "after_aggregation": weights}


# D-PSGD: gossip with all neighbors, towards one model for all.
#
# Source: Lian et al. 2017, "Can Decentralized Algorithms Outperform Centralized Algorithms?",
# NeurIPS, with Metropolis weights as the mixing matrix. Its step is one gradient; here it is the
# round's local epochs, as for every method.


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


# FedAvg with random peers: is it the choice of peers, or any averaging, that helps?
#
# Source: "FedAvg" in PRISAM, section V: McMahan et al. 2017, AISTATS, without a server; each device
# averages with peers that are drawn anew in each round.


def fedavg_random(me: Peer) -> None:
    """Average whole models with peers drawn uniformly."""
    me.deploy(dense_rounds(me, choose=Peer.draw))


# Oracle: who has similar data is told, not found. The bound for any choice of peers.
#
# Source: ours. No device could know this; it needs a split with groups.


def oracle(me: Peer) -> None:
    """Average whole models within the true group."""
    me.deploy(dense_rounds(me, choose=_true_group))


def oracle_pruned(me: Peer) -> None:
    """Average slim models within the true group: PRISAM without its clustering."""
    pruned_rounds(me, choose=_true_group)


def _true_group(me: Peer, _t: int) -> list[str]:
    return me.spec.true_group
