"""What peers went on without: masks, pulls, rounds that no fault explains, and rejected weights.

If any mask, pull or round was missed, the result depended on timing, and a rerun may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from prisam_p2p.measure.records import SAID_BYE
from prisam_p2p.report.applied_faults import occurrences
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verdicts import NOT_JUDGED


@dataclass(frozen=True)
class _Awaited:
    """A mask or a pull of another peer that a peer waited for in a round."""

    what: str
    other: str
    came: bool


def left_out(run: RunFolder) -> dict[str, int]:
    """Return how many "masks" were missed and "pulls" lost between peers that no fault hits.

    "rounds" is how many rounds such peers skipped because they went on from an older state.
    "judged" is how many masks and pulls such peers waited for: of none, nothing can be said. What
    a fault did to others may pass on: a peer that waited for a hit one is late itself, and counts.
    """
    hit = {
        peer
        for each in occurrences(run)
        for peer in chain(each["peers"], chain.from_iterable(each["links"]))
    }
    awaited = [
        each
        for peer in run.peers
        if peer not in hit
        for each in _awaited(run, peer)
        if each.other not in hit
    ]
    lost = Counter(each.what for each in awaited if not each.came)
    rounds = sum(_skipped(run, peer) for peer in run.peers if peer not in hit)
    return {
        "masks": lost["masks"],
        "pulls": lost["pulls"],
        "rounds": rounds,
        "judged": len(awaited),
    }


def _skipped(run: RunFolder, peer: str) -> int:
    """Return how many rounds are between the states of a peer and the rounds that they led to."""
    return sum(line["round"] - line["state_round"] for line in run.records(peer, "resumed"))


def _awaited(run: RunFolder, peer: str) -> Iterable[_Awaited]:
    """Return what a peer waited for; of a round that was done again, what it did last."""
    by_round: dict[int, list[_Awaited]] = {}
    for line in run.journals[peer]:
        match line["record"]:
            case "heard":
                came = [_Awaited("masks", other, True) for other in line["peers"]]
                missing = [
                    _Awaited("masks", other, False)
                    for other, why in line["missing"].items()
                    if not why.startswith(SAID_BYE)
                ]
                by_round[line["round"]] = [*came, *missing]
            case "sat_out":  # no result depends on what it heard
                by_round.pop(line["round"], None)
            case "pulled" | "pull_failed" as how:
                pull = _Awaited("pulls", line["donor"], how == "pulled")
                by_round.setdefault(line["round"], []).append(pull)
    return chain.from_iterable(by_round.values())


def left_out_lines(left: Mapping[str, int]) -> list[str]:
    """Return that in one line, none where all that was awaited came."""
    between = "left out between peers that no planned fault hit"
    if not left["judged"]:
        return [f"{between}: {NOT_JUDGED}, no such peer waited for another"]
    counts = {"mask": left["masks"], "pull": left["pulls"], "round": left.get("rounds", 0)}
    told = ", ".join(f"{n} {what}{'s' * (n > 1)}" for what, n in counts.items() if n)
    return [f"{between}: {told}; another run may differ"] if told else []


# -- rejected weights ------------------------------------------------------------------


def rejections(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Return donor -> who rejected it (`by`, ascending), and check -> how often (`checks`)."""
    by: dict[str, set[str]] = {}
    checks: dict[str, Counter[str]] = {}
    for peer in run.peers:
        for line in run.records(peer, "rejected"):
            by.setdefault(line["donor"], set()).add(peer)
            checks.setdefault(line["donor"], Counter())[line["check"]] += 1
    return {
        donor: {"by": sorted(by[donor]), "checks": dict(sorted(checks[donor].items()))}
        for donor in sorted(by)
    }


def rejection_lines(rejected: dict[str, dict[str, Any]]) -> list[str]:
    """Return the rejections in one line, none where there are none."""
    told = [_told(donor, each) for donor, each in rejected.items()]
    return [f"rejected on receipt: {', '.join(told)}"] if told else []


def _told(donor: str, each: dict[str, Any]) -> str:
    checks = ", ".join(f"{check} {n}" for check, n in each["checks"].items())
    n = len(each["by"])
    return f"{donor} by {n} peer{'s' * (n > 1)} ({checks})"
