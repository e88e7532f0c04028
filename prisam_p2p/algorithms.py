"""The algorithms, what planning, the network and the wire need to know of each, and what it costs.

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


@dataclass(frozen=True)
class Costs:
    """What a peer needs in a round, relative to one plain training of one model.

    preflight/declared.py reads it. What settings add to an algorithm is counted in preflight/.

    Attributes:
        pulls: whose weights it pulls: of `nobody`; of some `drawn` peers, as many as the fan-in; of
            its `group`; of those that it has `tried`, which are more than it averages; of `all`
            that it hears.
        trainings: passes over its images for each local epoch.
        fine_tunes: it trains the last average for `finetune_epochs` more.
        keeps: models in its memory and in its state beside the one that it trains next: `none`, a
            `personal` one, or `k`, one for each cluster.
        compares: models whose loss on its training images it computes: `none`, those that it
            `keeps`, or those that it `pulls` in order to choose.
    """

    pulls: Literal["nobody", "drawn", "group", "tried", "all"]
    trainings: int = 1
    fine_tunes: bool = False
    keeps: Literal["none", "personal", "k"] = "none"
    compares: Literal["none", "keeps", "pulls"] = "none"


class Algorithm(StrEnum):
    """What every peer does in a round: a name and a description, traits and costs."""

    description: str
    traits: Traits
    costs: Costs

    def __new__(cls, name: str, description: str, traits: Traits, costs: Costs) -> Algorithm:
        """Make the member `name`; `Algorithm(name)` finds it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.description = description
        member.traits = traits
        member.costs = costs
        return member

    PRISAM = (
        "prisam",
        "finds peers with similar data by their masks, and averages slim models with them",
        Traits(masks="similarity", clusters=True),
        Costs("group"),
    )
    PRISAM_RANDOM = (
        "prisam-random",
        "PRISAM with random neighbors in place of similar ones",
        Traits(),
        Costs("drawn"),
    )
    LOCAL = (
        "local",
        "every peer trains alone; nothing is sent",
        Traits(dense=True, silent=True),
        Costs("nobody"),
    )
    FEDAVG_RANDOM = (
        "fedavg-random",
        "averages whole models with random neighbors, drawn in each round",
        Traits(dense=True),
        Costs("drawn"),
    )
    DIS_PFL = (
        "dis-pfl",
        "averages slim models with random neighbors, each under its own mask",
        Traits(),
        Costs("drawn"),
    )
    DIS_PFL_ERK = (
        "dis-pfl-erk",
        "Dis-PFL as its authors' code has it: half of the weights, one by one, random neighbors",
        Traits(dense=True, entrywise=True),
        Costs("drawn"),
    )
    ORACLE = (
        "oracle",
        "averages whole models with the peers of its data group, which it is told: an upper bound",
        Traits(dense=True, knows_groups=True),
        Costs("group"),
    )
    ORACLE_PRUNED = (
        "oracle-pruned",
        "the oracle with slim models: an upper bound",
        Traits(knows_groups=True),
        Costs("group"),
    )
    EXACT_SIMILARITY = (
        "exact-similarity",
        "PRISAM that compares all trained weights in place of masks",
        Traits(masks="structure", clusters=True),
        Costs("all"),
    )
    D_PSGD = (
        "d-psgd",
        "averages whole models with all neighbors, by Metropolis weights; deploys the average",
        Traits(dense=True),
        Costs("all"),
    )
    D_PSGD_FT = (
        "d-psgd-ft",
        "D-PSGD, then fine-tuning of the last average on own data",
        Traits(dense=True),
        Costs("all", fine_tunes=True),
    )
    FEDAVG_FT = (
        "fedavg-ft",
        "fedavg-random, then fine-tuning of the last average on own data",
        Traits(dense=True),
        Costs("drawn", fine_tunes=True),
    )
    FEDREP = (
        "fedrep",
        "averages all layers but the last with random neighbors; each peer keeps its own head",
        Traits(dense=True),
        Costs("drawn", trainings=4),  # the head three times, the body once
    )
    DITTO = (
        "ditto",
        "fedavg-random, and a personal model that is trained beside it and drawn to it",
        Traits(dense=True),
        Costs("drawn", trainings=2, keeps="personal"),
    )
    IFCA = (
        "ifca",
        "k models; each peer trains the one that fits its own data, random neighbors",
        Traits(dense=True, masks="choice"),
        Costs("drawn", keeps="k", compares="keeps"),
    )
    FACADE = (
        "facade",
        "one body and k heads; each peer trains the head that fits its own data, random neighbors",
        Traits(dense=True, masks="choice"),
        Costs("drawn", keeps="k", compares="keeps"),
    )
    DAC = (
        "dac",
        "averages whole models with neighbors drawn by how well their models fit its own data",
        Traits(dense=True),
        Costs("drawn", compares="pulls"),
    )
    PENS = (
        "pens",
        "averages whole models with those neighbors whose models fit the peer's own data",
        Traits(dense=True),
        Costs("tried", compares="pulls"),
    )


def built_in(name: str) -> Algorithm | None:
    """Return the built-in algorithm of this name; None if there is none."""
    return next((each for each in Algorithm if each == name), None)
