"""PENS: try other peers' models on own data, then keep to the peers whose models did well.

Phase 1 tries models of some peers by their loss on own training data, and averages with the best.
Phase 2 averages with peers drawn from those that were among the best more often than expected by
chance.

Source: Onoszko, Karlsson, Mogren and Listo Zec 2021, "Decentralized federated learning of deep
neural networks on non-iid data", FL-ICML workshop, arXiv 2107.08517.
"""

from __future__ import annotations

from prisam_p2p.core.peer_choice import lowest
from prisam_p2p.peer.baseline_peer import BaselinePeer

TRIED_FOR_EACH = 5
"""Models tried for each one averaged, by default: the source tries 10 and averages with 2."""


def pens(me: BaselinePeer) -> None:
    """Run PENS: choose peers by trial in the first rounds, then draw from the best of them."""
    weights, first = me.begin()
    n_best, s = me.fan_in, me.settings
    n_tried = s.pens_sampled or TRIED_FOR_EACH * n_best
    n_trials = me.rounds // 2 if s.pens_rounds is None else s.pens_rounds
    for t in me.rounds_from(first):
        trained = me.train(t, weights)

        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        heard = me.hear_of(t)
        if t < n_trials:
            tried = me.pull(t, me.present(me.draw(t, n_tried), heard), whole=True)
            best = lowest(me.losses(tried), n_best)
            me.note_trial(tried, best)
            me.note_choice(t, best, heard)
            pulled = {peer: tried[peer] for peer in best}
            del tried
        else:
            group = me.note_choice(t, me.draw(t, among=me.favorites()), heard)
            pulled = me.pull(t, group, whole=True)

        average, union = me.average({me.peer_id: trained, **pulled})
        weights = me.recalibrate(average)
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": weights})
