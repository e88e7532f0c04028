"""A shared body and a head of one's own, after FedRep (Collins et al. 2021, ICML).

    prisam launch --algorithm ./examples/fedrep.py:fedrep

The last layer, the head, never leaves its device's model. Not as in the source: head and body are
trained together, and neighbors pull whole models and leave the head aside.
"""

from prisam_p2p.api import Layout, Peer, Traits, Weights, algorithm


def head_of(layout: Layout) -> list[str]:
    """Return the names of the last layer's tensors."""
    trainable = [tensor.name for tensor in layout.tensors if tensor.trainable]
    last = trainable[-1].rpartition(".")[0]
    return [name for name in trainable if name.rpartition(".")[0] == last]


@algorithm(Traits(dense=True))
def fedrep(me: Peer) -> None:
    """Average the bodies of some random neighbors; keep the own head."""
    head = head_of(me.layout)
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        group = me.note_choice(t, me.draw(t), me.hear_of(t))
        pulled = me.check_norms(t, trained, me.pull(t, group, whole=True))
        average, union = me.average({me.peer_id: trained, **pulled})
        own_head = {name: trained.tensors[name] for name in head}
        weights = me.recalibrate(Weights(average.mask, {**average.tensors, **own_head}))
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
