"""DFedAvgM: local steps with momentum, then gossip with all neighbors (Sun et al. 2021, TPAMI).

    prisam launch --algorithm ./examples/dfedavgm.py:dfedavgm --momentum 0.9 --epochs 2

The momentum is that of local training (--momentum), which begins anew in each round, as in the
source. Not here: the quantization of what is sent (--wire-dtype float16 is near to it).
"""

from prisam_p2p.api import Peer, Traits, Weights, algorithm, metropolis_weights, mix


def gossip(me: Peer, own: Weights, pulled: dict[str, Weights]) -> Weights:
    """Return the mean by Metropolis weights over the neighbors that are there."""
    present = {peer: me.degrees[peer] for peer in pulled}
    shares = metropolis_weights(me.peer_id, len(me.neighbors), present)
    return mix(me.layout, {me.peer_id: own, **pulled}, shares)


@algorithm(Traits(dense=True))
def dfedavgm(me: Peer) -> None:
    """Train some epochs with momentum, then mix with all neighbors; deploy the mixture."""
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        group = me.note_choice(t, me.neighbors, me.hear_of(t))
        pulled = me.check_norms(t, trained, me.pull(t, group, whole=True))
        weights = me.recalibrate(gossip(me, trained, pulled))
        me.note_aggregation(t, [me.peer_id, *pulled], weights.mask, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_aggregation": weights})
