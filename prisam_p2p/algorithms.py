"""The algorithms, and what planning, the network and the wire need to know of each.

One row of `Algorithm` names one. Its loop is in peer/baselines, where `LOOPS` maps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True)
class Traits:
    """What the surroundings of an algorithm need to know of it.

    Attributes:
        dense: every device holds the whole network; budgets of storage and MACs do not apply.
        silent: it never communicates.
        masks: what a peer announces in a round: its `similarity` mask, its `structure` mask, or
            `none`, only that it has weights to offer.
        clusters: it clusters the masks that it receives.
        knows_groups: it is told which peers have similar data.
        entrywise: weights are kept or dropped one by one, not by channels.
    """

    dense: bool = False
    silent: bool = False
    masks: Literal["similarity", "structure", "none"] = "none"
    clusters: bool = False
    knows_groups: bool = False
    entrywise: bool = False


class Algorithm(StrEnum):
    """What every peer does in a round. Each member has a name for users, and traits."""

    traits: Traits

    def __new__(cls, name: str, traits: Traits) -> Algorithm:
        """Make the member `name`; `Algorithm(name)` finds it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.traits = traits
        return member

    PRISAM = "prisam", Traits(masks="similarity", clusters=True)
    PRISAM_RANDOM = "prisam-random", Traits()
    LOCAL = "local", Traits(dense=True, silent=True)
    FEDAVG_RANDOM = "fedavg-random", Traits(dense=True)
    DIS_PFL = "dis-pfl", Traits()
    DIS_PFL_ERK = "dis-pfl-erk", Traits(dense=True, entrywise=True)
    ORACLE = "oracle", Traits(dense=True, knows_groups=True)
    ORACLE_PRUNED = "oracle-pruned", Traits(knows_groups=True)
    EXACT_SIMILARITY = "exact-similarity", Traits(masks="structure", clusters=True)
    D_PSGD = "d-psgd", Traits(dense=True)
    D_PSGD_FT = "d-psgd-ft", Traits(dense=True)
    PENS = "pens", Traits(dense=True)
