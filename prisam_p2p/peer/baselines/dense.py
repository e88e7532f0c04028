"""The round that baselines of whole models share: train, offer, pull, average."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prisam_p2p.core.layout import Weights
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
