"""FedRep without a server: a body learned together, and a head of one's own (Collins et al. 2021).

    prisam launch --algorithm ./examples/fedrep.py:fedrep

As in the source (ICML 2021, Algorithm 1), a device trains its head while the body is frozen, then
its body while the head is frozen; bodies are averaged, and a head never leaves its device. What
differs: a device averages with some random neighbors, where the source has a server. A message
holds a whole model, so zeros travel in place of the head, and the ledger counts their bytes. The
built-in `fedrep` computes the same, bit for bit.
"""

from prisam_p2p.api import Peer, Traits, algorithm, head_and_body, head_of, with_head

HEAD_EPOCHS = 3
"""The head is trained for this many times --epochs, the body once: less, as in the source."""


@algorithm(Traits(dense=True))
def fedrep(me: Peer) -> None:
    """Train head, then body; average the bodies of some random neighbors; keep the own head."""
    head, body = head_and_body(me.layout)
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights, in_turn=[head] * HEAD_EPOCHS + [body])
        own_head = head_of(me.layout, trained)
        offered = with_head(trained, {name: 0 * array for name, array in own_head.items()})
        me.offer(t, offered)
        me.evaluate(t, "after_training", trained)
        group = me.note_choice(t, me.draw(t), me.hear_of(t))
        pulled = me.check_norms(t, offered, me.pull(t, group, whole=True))
        average, union = me.average({me.peer_id: offered, **pulled})
        weights = me.recalibrate(with_head(average, own_head))
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
