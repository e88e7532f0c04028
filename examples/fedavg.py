"""FedAvg without a server: average whole models with peers drawn at random.

    prisam launch --algorithm ./examples/fedavg.py:fedavg

It is written as a stranger would, from the steps alone. A test runs it beside the built-in
`fedavg-random` and finds the same models, bit for bit.
"""

from prisam_p2p.api import Peer, Traits, algorithm


@algorithm(Traits(dense=True))
def fedavg(me: Peer) -> None:
    """Train, offer the model, pull those of some neighbors, average: round after round."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)

        drawn = me.draw(t)
        group = me.note_choice(t, drawn, me.hear_of(t))
        pulled = me.check_norms(t, trained, me.pull(t, group, whole=True))

        average, union = me.average({me.peer_id: trained, **pulled})
        weights = me.recalibrate(average)
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
