"""Local training without communication: the lower bound that tells what neighbors are worth.

Source: "Local" in PRISAM, section V. Optimizer, epochs and seeds are those of all methods.
"""

from __future__ import annotations

from prisam_p2p.peer.baseline_peer import BaselinePeer


def local(me: BaselinePeer) -> None:
    """Train the dense model on own data and never communicate."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        weights = me.train(t, weights)
        me.evaluate(t, "after_training", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": weights})
