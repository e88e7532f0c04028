"""What a page of a large run leaves out, decided from its plan before any line is read.

A roll-up that depended on what came so far would let a live page and a report differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from prisam_p2p.page.data.plan_facts import PlanFacts

_MOST_PULLS = 60_000
_MOST_SERVINGS = 30_000
_MOST_MEMBERS = 400_000
_MOST_LABELS = 50_000
_MOST_OFFSETS = 50_000
_MOST_COUNTS = 300_000
_MOST_MASK_BYTES = 500_000
_MOST_EXACT_TIMES = 4000
_MOMENTS = 3


@dataclass(frozen=True)
class Thinned:
    """The rounds that a table keeps: every `step`-th from 0, and the last."""

    step: int
    last: int

    def keeps(self, round_index: int) -> bool:
        """Tell whether a round is kept."""
        return round_index % self.step == 0 or round_index == self.last


@dataclass(frozen=True)
class Rollups:
    """Attributes: which rounds each table keeps, and which columns it fills.

    labels, offsets: whether these columns are filled.
    digits: of seconds, after the point.
    sentences: what is left out, in words; empty for a run of usual size.
    """

    pulls: Thinned
    servings: Thinned
    groups: Thinned
    per_class: Thinned
    masks: Thinned
    labels: bool
    offsets: bool
    digits: int
    sentences: tuple[str, ...]


def rollups(plan: PlanFacts) -> Rollups:
    """Return what the page of a run of this plan leaves out."""
    peers, rounds, links = len(plan.ids), plan.rounds, plan.n_links
    members = rounds * sum((len(each) / plan.clusters + 1) for each in plan.neighbors)
    kept = {
        "pulls": _thinned(rounds, members, _MOST_PULLS),
        "servings": _thinned(rounds, members, _MOST_SERVINGS),
        "groups": _thinned(rounds, 3 * members, _MOST_MEMBERS),
        "per_class": _thinned(rounds, peers * rounds * _MOMENTS * plan.classes, _MOST_COUNTS),
        "masks": _thinned(rounds, peers * rounds * ceil(plan.mask_bits / 8), _MOST_MASK_BYTES),
    }
    labels, offsets = (links * rounds <= most for most in (_MOST_LABELS, _MOST_OFFSETS))
    told = [
        f"{_WORDS[name]} are shown of one round in {each.step}, and of the last: "
        "the run is too large for all of them"
        for name, each in kept.items()
        if each.step > 1
    ]
    if not offsets:
        told.append(
            "of each wait for masks, the first, the middle and the last arrival are kept, and who "
            "came last: the run is too large for all arrivals"
        )
    digits = 6
    if peers * rounds > _MOST_EXACT_TIMES:
        digits = 3
        told.append(
            "times are shown to the millisecond, and phases within one are left out: the run is "
            "too large for all of them"
        )
    return Rollups(**kept, labels=labels, offsets=offsets, digits=digits, sentences=tuple(told))


_WORDS = {
    "pulls": "pulls",
    "servings": "what donors served",
    "groups": "members of groups",
    "per_class": "accuracies by class",
    "masks": "masks",
}


def _thinned(rounds: int, size: float, most: int) -> Thinned:
    """Keep as many rounds as hold `most` of `size`, evenly."""
    return Thinned(max(1, ceil(size / most)), max(rounds - 1, 0))
