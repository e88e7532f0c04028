"""A network in two parts: the head, its last layer, and the body, all others."""

from __future__ import annotations

from prisam_p2p.core.layout import Layout, State, Weights


def head_and_body(layout: Layout) -> tuple[list[str], list[str]]:
    """Return the names of the last layer's parameters, and of all others, in the layout's order."""
    names = [tensor.name for tensor in layout.tensors if tensor.trainable]
    last = names[-1].rpartition(".")[0]
    head = [name for name in names if name.rpartition(".")[0] == last]
    return head, [name for name in names if name not in head]


def head_of(layout: Layout, weights: Weights) -> State:
    """Return the head's parameters."""
    return {name: weights.tensors[name] for name in head_and_body(layout)[0]}


def with_head(weights: Weights, head: State) -> Weights:
    """Return `weights` with another head."""
    return Weights(weights.mask, {**weights.tensors, **head})
