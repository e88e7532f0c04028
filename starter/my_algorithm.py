"""An algorithm of your own: what every peer does, round after round.

    prisam launch my-network --algorithm ./my_algorithm.py:gossip --baseline d-psgd

It is made of the steps that PRISAM and its baselines are made of, so that every byte is counted,
and missing neighbors, faults and a resumed run are taken care of.
"""

from prisam_p2p.api import Peer, Traits, algorithm

FAN_IN = 2
"""Neighbors that a peer averages with in a round."""


@algorithm(Traits(dense=True))  # every device holds the whole network
def gossip(me: Peer) -> None:
    """Train, then average with a few neighbors, drawn anew in each round."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)

        drawn = me.draw(t, FAN_IN)  # the same in every run with this seed
        group = me.note_choice(t, drawn, me.hear_of(t))  # without those that are not there
        pulled = me.pull(t, group, whole=True)  # peer -> weights; any of them may be missing

        average, union = me.average({me.peer_id: trained, **pulled})
        weights = me.recalibrate(average)  # BN statistics of the own data
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)  # a killed peer continues from here
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
