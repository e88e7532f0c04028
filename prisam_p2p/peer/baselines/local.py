"""Local: no communication. What are neighbors worth?

Source: "Local" in PRISAM, section V. Same optimizer, epochs and seeds as all others.
"""

from __future__ import annotations

from prisam_p2p.peer.peer import Peer


def local(me: Peer) -> None:
    """Train the dense model on own data and never communicate."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        weights = me.train(t, weights)
        me.evaluate(t, "after_training", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": weights})
