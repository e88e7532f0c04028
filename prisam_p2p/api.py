"""What users' code is written against: the only import path that keeps its meaning.

docs/extending.md explains each part with an example. Names follow semantic versioning from 0.2 on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prisam_p2p.algorithms import Traits
from prisam_p2p.core.aggregation import aggregate
from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.erk import drop_and_regrow, drop_rate, erk_mask
from prisam_p2p.core.heads import head_and_body, head_of, with_head
from prisam_p2p.core.layout import Array, Layout, Mask, State, Weights, narrow, widen
from prisam_p2p.core.masks import prune
from prisam_p2p.core.metropolis import metropolis_weights, mix
from prisam_p2p.core.model_choice import best_fit
from prisam_p2p.core.peer_choice import lowest
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.data_spec import DataSpec
from prisam_p2p.learn.personalized import load_personalized
from prisam_p2p.learn.split_code import Share
from prisam_p2p.peer.baseline_peer import BaselinePeer as Peer
from prisam_p2p.peer.baselines.dense import dense_rounds, plain_mean
from prisam_p2p.peer.baselines.pruned import pruned_rounds

__all__ = [
    "Array",
    "ConfigError",
    "DataSpec",
    "EntryLayout",
    "Layout",
    "Mask",
    "Peer",
    "Share",
    "State",
    "Traits",
    "Weights",
    "aggregate",
    "algorithm",
    "best_fit",
    "dense_rounds",
    "drop_and_regrow",
    "drop_rate",
    "erk_mask",
    "head_and_body",
    "head_of",
    "load_personalized",
    "lowest",
    "metropolis_weights",
    "mix",
    "narrow",
    "plain_mean",
    "prune",
    "pruned_rounds",
    "widen",
    "with_head",
]

Rounds = TypeVar("Rounds", bound=Callable[[Peer], None])


def algorithm(traits: Traits) -> Callable[[Rounds], Rounds]:
    """Return a decorator that makes an algorithm of a function of all rounds of one peer.

    Args:
        traits: what planning and the network need to know of it before a peer runs.
    """

    def mark(rounds: Rounds) -> Rounds:
        rounds.traits = traits  # type: ignore[attr-defined]
        return rounds

    return mark
