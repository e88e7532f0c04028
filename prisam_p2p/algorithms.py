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
        masks: what a peer announces in a round: its `similarity` mask, its `structure` mask, its
            `choice` of one of k models, or `none`, only that it has weights to offer.
        clusters: it clusters the masks that it receives.
        knows_groups: it is told which peers have similar data.
        entrywise: weights are kept or dropped one by one, not by channels.
    """

    dense: bool = False
    silent: bool = False
    masks: Literal["similarity", "structure", "choice", "none"] = "none"
    clusters: bool = False
    knows_groups: bool = False
    entrywise: bool = False


class Algorithm(StrEnum):
    """What every peer does in a round. Each member has a name and a description, and traits."""

    description: str
    traits: Traits

    def __new__(cls, name: str, description: str, traits: Traits) -> Algorithm:
        """Make the member `name`; `Algorithm(name)` finds it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.description = description
        member.traits = traits
        return member

    PRISAM = (
        "prisam",
        "finds peers with similar data by their masks, and averages slim models with them",
        Traits(masks="similarity", clusters=True),
    )
    PRISAM_RANDOM = (
        "prisam-random",
        "PRISAM with random neighbors in place of similar ones",
        Traits(),
    )
    LOCAL = (
        "local",
        "every peer trains alone; nothing is sent",
        Traits(dense=True, silent=True),
    )
    FEDAVG_RANDOM = (
        "fedavg-random",
        "averages whole models with random neighbors, drawn in each round",
        Traits(dense=True),
    )
    DIS_PFL = (
        "dis-pfl",
        "averages slim models with random neighbors, each under its own mask",
        Traits(),
    )
    DIS_PFL_ERK = (
        "dis-pfl-erk",
        "Dis-PFL as its authors' code has it: half of the weights, one by one, random neighbors",
        Traits(dense=True, entrywise=True),
    )
    ORACLE = (
        "oracle",
        "averages whole models with the peers of its data group, which it is told: an upper bound",
        Traits(dense=True, knows_groups=True),
    )
    ORACLE_PRUNED = (
        "oracle-pruned",
        "the oracle with slim models: an upper bound",
        Traits(knows_groups=True),
    )
    EXACT_SIMILARITY = (
        "exact-similarity",
        "PRISAM that compares all trained weights in place of masks",
        Traits(masks="structure", clusters=True),
    )
    D_PSGD = (
        "d-psgd",
        "averages whole models with all neighbors, by Metropolis weights; deploys the average",
        Traits(dense=True),
    )
    D_PSGD_FT = (
        "d-psgd-ft",
        "D-PSGD, then fine-tuning of the last average on own data",
        Traits(dense=True),
    )
    FEDAVG_FT = (
        "fedavg-ft",
        "fedavg-random, then fine-tuning of the last average on own data",
        Traits(dense=True),
    )
    FEDREP = (
        "fedrep",
        "averages all layers but the last with random neighbors; each peer keeps its own head",
        Traits(dense=True),
    )
    DITTO = (
        "ditto",
        "fedavg-random, and a personal model that is trained beside it and drawn to it",
        Traits(dense=True),
    )
    IFCA = (
        "ifca",
        "k models; each peer trains the one that fits its own data, random neighbors",
        Traits(dense=True, masks="choice"),
    )
    FACADE = (
        "facade",
        "one body and k heads; each peer trains the head that fits its own data, random neighbors",
        Traits(dense=True, masks="choice"),
    )
    DAC = (
        "dac",
        "averages whole models with neighbors drawn by how well their models fit its own data",
        Traits(dense=True),
    )
    PENS = (
        "pens",
        "averages whole models with those neighbors whose models fit the peer's own data",
        Traits(dense=True),
    )


def built_in(name: str) -> Algorithm | None:
    """Return the built-in algorithm of this name; None if there is none."""
    return next((each for each in Algorithm if each == name), None)
