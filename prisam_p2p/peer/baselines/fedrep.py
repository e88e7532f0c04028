"""FedRep without a server: a body learned together, and a head of one's own.

A device trains its head while the body is frozen, then its body while the head is frozen. Bodies
are averaged with random neighbors; a head never leaves its device.

Source: Collins et al. 2021, "Exploiting Shared Representations for Personalized Federated
Learning", ICML, Algorithm 1. Without a server, by random neighbors, it is close to DFedPGP (Liu et
al. 2024, "Decentralized Directed Collaboration for Personalized Federated Learning", CVPR), which
also trains head and body in turn and mixes bodies only.
"""

from __future__ import annotations

from prisam_p2p.core.heads import head_and_body, head_of, with_head
from prisam_p2p.peer.baseline_peer import BaselinePeer

HEAD_PASSES = 3
"""The head is trained for this many times the local epochs, the body once; the source: up to 10."""


def fedrep(me: BaselinePeer) -> None:
    """Train head, then body; average the bodies of some random neighbors; keep the own head."""
    head, body = head_and_body(me.layout)
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights, in_turn=[head] * HEAD_PASSES + [body])
        own_head = head_of(me.layout, trained)
        offered = with_head(trained, {name: 0 * array for name, array in own_head.items()})

        me.offer(t, offered)  # a message holds a whole model: zeros travel in place of the head
        me.evaluate(t, "after_training", trained)
        group = me.note_choice(t, me.draw(t), me.hear_of(t))
        pulled = me.pull(t, group, whole=True)
        pulled = me.check_norms(t, offered, pulled)

        average, union = me.average({me.peer_id: offered, **pulled})
        weights = me.recalibrate(with_head(average, own_head))
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
