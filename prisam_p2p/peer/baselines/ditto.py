"""Ditto without a server: a common model, and a personal one that is drawn to it.

Source: Li, Hu, Beirami and Smith 2021, "Ditto: Fair and Robust Federated Learning Through
Personalization", ICML, Algorithm 1, with FedAvg of random neighbors as its global objective.
"""

from __future__ import annotations

from prisam_p2p.peer.baseline_peer import BaselinePeer

PERSONAL = "personal"


def ditto(me: BaselinePeer) -> None:
    """Average a common model with random neighbors; train a personal one that stays close to it.

    The personal model never leaves its device; it is the candidate `after_training`.
    """
    weights, first = me.begin()
    personal = me.remembered(PERSONAL) or weights
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        strength = me.settings.ditto_lambda
        personal = me.train_more(t, personal, toward=weights, strength=strength)

        me.offer(t, trained)
        me.evaluate(t, "after_training", personal)
        group = me.note_choice(t, me.draw(t), me.hear_of(t))
        pulled = me.pull(t, group, whole=True)
        pulled = me.check_norms(t, trained, pulled)

        average, union = me.average({me.peer_id: trained, **pulled})
        weights = me.recalibrate(average)
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.remember(PERSONAL, personal)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": personal, "after_aggregation": weights})
