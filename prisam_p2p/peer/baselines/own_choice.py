"""k models, or k heads on one body, of which each peer trains the one that fits its own data.

IFCA and Facade share one round, `rounds_of_choice`: train the chosen model, say which one it is,
average each model over those who trained it, choose anew by the loss on own data. They differ in
what is averaged over everyone: nothing, or the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from prisam_p2p.core.heads import head_of, with_head
from prisam_p2p.core.layout import Weights
from prisam_p2p.core.model_choice import best_fit
from prisam_p2p.peer.baseline_peer import BaselinePeer

Models = dict[int, Weights]
"""Number, 0 to k - 1 -> this peer's copy of that model."""

Merge = Callable[[BaselinePeer, Models, Mapping[int, Mapping[str, Weights]]], Models]
"""Returns the k models after a round: of the copies and, by number, of the models that arrived."""

CHOICE, MODEL = "choice", "model-{}"


def ifca(me: BaselinePeer) -> None:
    """Run IFCA: k models, each averaged over those of its random neighbors that trained it.

    Source: Ghosh, Chung, Yin and Ramchandran 2020, "An Efficient Framework for Clustered Federated
        Learning", NeurIPS, Algorithm 1 with model averaging, without its server.
    """
    rounds_of_choice(me, {n: me.initial_weights(n) for n in range(me.clusters)}, whole_models)


def facade(me: BaselinePeer) -> None:
    """Run Facade: one body, averaged over all that is pulled, and k heads, each over its own.

    Source: Biswas, Kermarrec, Sharma, Trinca and de Vos 2025, "Fair Decentralized Learning"
        (Facade), SaTML, arXiv 2410.02541.
    """
    w0 = me.initial_weights(0)
    heads = {n: head_of(me.layout, me.initial_weights(n)) for n in range(me.clusters)}
    rounds_of_choice(me, {n: with_head(w0, head) for n, head in heads.items()}, heads_on_one_body)


def whole_models(
    me: BaselinePeer, models: Models, arrived: Mapping[int, Mapping[str, Weights]]
) -> Models:
    """Return each model averaged over those who trained it; one that nobody trained stays."""
    return models | {n: me.average(members)[0] for n, members in arrived.items()}


def heads_on_one_body(
    me: BaselinePeer, models: Models, arrived: Mapping[int, Mapping[str, Weights]]
) -> Models:
    """Return the average of all bodies under each head, averaged over those who trained it."""
    everyone = {peer: w for members in arrived.values() for peer, w in members.items()}
    average, _ = me.average(everyone)
    latest = whole_models(me, models, arrived)
    return {n: with_head(average, head_of(me.layout, model)) for n, model in latest.items()}


def rounds_of_choice(me: BaselinePeer, initial: Models, merge: Merge) -> None:
    """Run all rounds, and deploy.

    Args:
        initial: the k models to begin with, the same on every peer.
        merge: averages a round's models.
    """
    begun, first = me.begin()
    models = {n: me.remembered(MODEL.format(n)) or weights for n, weights in initial.items()}
    if CHOICE in me.memory:
        chosen = int(me.memory[CHOICE])
        models[chosen] = begun
    else:
        chosen = best_fit(me.losses(models, averaged=True))
        if begun is not me.initial_weights(0):  # it joined late, with a neighbor's weights
            models[chosen] = begun
    for t in me.rounds_from(first):
        trained = me.train(t, models[chosen])

        me.announce_choice(t, chosen, trained)
        me.evaluate(t, "after_training", trained)
        choices = me.hear_choices(t)
        group = me.note_choice(t, me.draw(t), choices, labels=choices)
        pulled = me.check_norms(t, trained, me.pull(t, group, whole=True))

        arrived: dict[int, dict[str, Weights]] = {chosen: {me.peer_id: trained}}
        for peer, weights in pulled.items():
            arrived.setdefault(choices[peer], {})[peer] = weights
        models = merge(me, models, arrived)
        chosen = best_fit(me.losses(models, averaged=True))
        models[chosen] = me.recalibrate(models[chosen])
        me.note_aggregation(t, [me.peer_id, *pulled], me.layout.full_mask(), models[chosen])
        me.evaluate(t, "after_aggregation", models[chosen])
        me.memory[CHOICE] = np.asarray(chosen)
        for n, model in models.items():
            me.remember(MODEL.format(n), model)
        me.end_round(t, models[chosen])
        if me.converged():
            break
    me.deploy({"after_training": trained, "after_aggregation": models[chosen]})
