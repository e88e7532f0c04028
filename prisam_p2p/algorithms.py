"""What an algorithm needs of what surrounds it: of the plan, the network, the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prisam_p2p.settings import Algorithm


@dataclass(frozen=True)
class Traits:
    """An algorithm, seen from outside.

    Attributes:
        dense: every device holds the whole network; budgets of storage and MACs do not apply.
        silent: it never communicates.
        masks: what is announced in a round: the `similarity` mask, the `structure` mask, or
            none, only that there are weights.
        clusters: it clusters what it hears.
        knows_groups: it is told which peers have similar data.
        entrywise: weights are kept or dropped one by one, not by channels.
    """

    dense: bool = False
    silent: bool = False
    masks: Literal["similarity", "structure", "none"] = "none"
    clusters: bool = False
    knows_groups: bool = False
    entrywise: bool = False


TRAITS: Mapping[Algorithm, Traits] = {
    Algorithm.PRISAM: Traits(masks="similarity", clusters=True),
    Algorithm.PRISAM_RANDOM: Traits(),
    Algorithm.LOCAL: Traits(dense=True, silent=True),
    Algorithm.FEDAVG_RANDOM: Traits(dense=True),
    Algorithm.DIS_PFL: Traits(),
    Algorithm.DIS_PFL_ERK: Traits(dense=True, entrywise=True),
    Algorithm.ORACLE: Traits(dense=True, knows_groups=True),
    Algorithm.ORACLE_PRUNED: Traits(knows_groups=True),
    Algorithm.EXACT_SIMILARITY: Traits(masks="structure", clusters=True),
    Algorithm.D_PSGD: Traits(dense=True),
    Algorithm.D_PSGD_FT: Traits(dense=True),
    Algorithm.PENS: Traits(dense=True),
}
