"""DAC: average with peers drawn by the loss of their models on own data.

A similarity is 1 / loss, and a peer is drawn by the softmax of the similarities: where PENS first
tries and then decides, this one goes on adapting, and every model that it pulls is averaged.

Source: Listo Zec, Ekblom, Willbo, Mogren and Girdzijauskas 2022, "Decentralized adaptive clustering
of deep nets is beneficial for client collaboration", FL-IJCAI workshop, arXiv 2206.08839.
"""

from __future__ import annotations

from prisam_p2p.peer.baseline_peer import BaselinePeer


def dac(me: BaselinePeer) -> None:
    """Run DAC: draw R neighbors by similarity, average with them, update their similarities."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)

        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        drawn = me.draw_similar(t, me.settings.dac_temperature)
        group = me.note_choice(t, drawn, me.hear_of(t))
        pulled = me.pull(t, group, whole=True)
        me.note_losses(me.losses(pulled))

        average, union = me.average({me.peer_id: trained, **pulled})
        weights = me.recalibrate(average)
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
