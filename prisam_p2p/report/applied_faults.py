"""The planned faults of a run, and where each was applied, from when to when."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.measure import folders
from prisam_p2p.report.run_folder import RunFolder


@dataclass(frozen=True)
class AppliedFault:
    """A fault at one peer, from `began_s` to `ended_s` (infinity: never healed)."""

    occurrence: dict[str, Any]
    peer: str
    began_s: float
    ended_s: float


@dataclass(frozen=True)
class CutLink:
    """A directed link over which a fault let nothing pass from `began_s` to `ended_s`."""

    fault: str
    sender: str
    receiver: str
    began_s: float
    ended_s: float


def occurrences(run: RunFolder) -> list[dict[str, Any]]:
    """Return the occurrences of the run's fault plan; none without a plan."""
    path = run.path / folders.FAULTS
    if not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text())["occurrences"]
    return found


def applied_faults(run: RunFolder) -> list[AppliedFault]:
    """Return what was applied, where, and from when to when."""
    by_id = {each["id"]: each for each in occurrences(run)}
    healed = {
        (line["fault"], line["peer"]): line["t_s"]
        for line in run.records("launcher", "fault_healed")
    }
    return [
        AppliedFault(
            by_id[line["fault"]],
            line["peer"],
            line["t_s"],
            healed.get((line["fault"], line["peer"]), math.inf),
        )
        for line in run.records("launcher", "fault_applied")
    ]


def cuts(run: RunFolder) -> Iterator[CutLink]:
    """Yield each link that a fault cut, for the time in which both its ends were cut off."""
    spans: dict[str, tuple[float, float]] = {}
    for firing in applied_faults(run):
        if KINDS[firing.occurrence["kind"]].cuts_links:
            began_s, ended_s = spans.get(firing.occurrence["id"], (-math.inf, math.inf))
            narrowed = max(began_s, firing.began_s), min(ended_s, firing.ended_s)
            spans[firing.occurrence["id"]] = narrowed
    for each in occurrences(run):
        began_s, ended_s = spans.get(each["id"], (0.0, 0.0))
        if began_s < ended_s:
            for sender, receiver in each["links"]:
                yield CutLink(each["id"], sender, receiver, began_s, ended_s)
