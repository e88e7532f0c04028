"""What peers went on without though no fault hit them: who was slow, or far, or died.

Such a run depends on how fast its processes were, and another one may come to something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from prisam_p2p.measure.records import SAID_BYE
from prisam_p2p.report.applied_faults import occurrences
from prisam_p2p.report.run_folder import RunFolder


def left_out(run: RunFolder) -> dict[str, int]:
    """Return how many "masks" were missed and "pulls" lost between peers that no fault hits.

    What a fault did to others may pass on: who waited for one of them is late itself, and counts.
    """
    hit = {
        peer
        for each in occurrences(run)
        for peer in chain(each["peers"], chain.from_iterable(each["links"]))
    }
    lost = [each for peer in run.peers if peer not in hit for each in _lost(run, peer)]
    return {
        what: sum(kind == what and other not in hit for kind, other in lost)
        for what in ("masks", "pulls")
    }


def _lost(run: RunFolder, peer: str) -> Iterable[tuple[str, str]]:
    """Return what a peer went on without, and whose; of a round that was done again, the last."""
    by_round: dict[int, list[tuple[str, str]]] = {}
    for line in run.journals[peer]:
        if line["record"] == "heard":
            missing = line["missing"].items()
            lost = [("masks", other) for other, why in missing if not why.startswith(SAID_BYE)]
            by_round[line["round"]] = lost
        elif line["record"] == "pull_failed":
            by_round.setdefault(line["round"], []).append(("pulls", line["donor"]))
    return chain.from_iterable(by_round.values())


def left_out_lines(left: Mapping[str, int]) -> list[str]:
    """Return that in one line, none where nothing was left out."""
    told = ", ".join(f"{n} {what[:-1] if n == 1 else what}" for what, n in left.items() if n)
    if not told:
        return []
    return [f"left out between peers that no fault hit: {told}; another run may differ"]


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
