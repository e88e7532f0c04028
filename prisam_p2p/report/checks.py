"""What must hold in every run, however it was disturbed: checked over the journals afterwards.

After Jepsen: a run writes a history with its faults inline, checkers judge it when it is over.
Each check returns what is wrong, in words; docs/faults.md says what each one is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from prisam_p2p.measure import folders
from prisam_p2p.measure.records import AS_PLANNED
from prisam_p2p.report.byzantine_peers import RUDE, is_to_be_left_out, rounds_of_lies
from prisam_p2p.report.groups import ari_by_round
from prisam_p2p.report.run_folder import Line, RunFolder

TRUE, FALSE, UNKNOWN, NOT_JUDGED = "true", "false", "unknown", "not judged"
_SILENCE = frozenset({"cut", "partition", "isolate"})
_LEAST_BOUND_S, _ROUNDS_TO_RECOVER = 10.0, 3
_GROUPS_WORSE_BY = 0.1


@dataclass(frozen=True)
class Check:
    """A check and its verdict; `why` in words where it is not true."""

    check: str
    verdict: str
    why: str


@dataclass(frozen=True)
class Firing:
    """A fault at one peer, from `began_s` to `ended_s` (infinity: never healed)."""

    occurrence: dict[str, Any]
    peer: str
    began_s: float
    ended_s: float


def run_checks(run: RunFolder) -> list[Check]:
    """Return the verdict of each check of a run."""
    checks: dict[str, Callable[[RunFolder], Iterator[str]]] = {
        "final states": _final_states,
        "progress after heal": _progress,
        "nothing across a cut": _crossings,
        "no stale snapshot": _stale,
        "no poison": _poison,
        "groups recovered": _groups,
    }
    ended = run.ended()
    if ended is None or ended["status"] != "completed":
        why = "the run did not come to its end"
        return [Check(name, UNKNOWN, why) for name in checks]
    return [_checked(name, check, run) for name, check in checks.items()]


class _Moot(Exception):
    """There is nothing that a check could judge by; says why."""


def _checked(name: str, check: Callable[[RunFolder], Iterator[str]], run: RunFolder) -> Check:
    try:
        why = "; ".join(check(run))
    except _Moot as moot:
        return Check(name, NOT_JUDGED, str(moot))
    return Check(name, FALSE if why else TRUE, why)


def checks_json(checks: list[Check]) -> list[dict[str, str]]:
    """Return what summary.json says of the checks."""
    return [asdict(check) for check in checks]


def check_lines(checks: list[dict[str, str]]) -> list[str]:
    """Return the checks in words: how many hold, and a line for each that does not."""
    hold = sum(each["verdict"] == TRUE for each in checks)
    lines = [f"checks: {hold} of {len(checks)} hold"]
    return lines + [f"  {c['check']}: {c['verdict']}, {c['why']}" for c in checks if c["why"]]


def occurrences(run: RunFolder) -> list[dict[str, Any]]:
    """Return the occurrences of the run's fault plan; none without a plan."""
    path = run.path / folders.FAULTS
    if not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text())["occurrences"]
    return found


def firings(run: RunFolder) -> list[Firing]:
    """Return what was applied, where, and from when to when."""
    by_id = {each["id"]: each for each in occurrences(run)}
    healed = {
        (line["fault"], line["peer"]): line["t_s"]
        for line in run.records("launcher", "fault_healed")
    }
    return [
        Firing(
            by_id[line["fault"]],
            line["peer"],
            line["t_s"],
            healed.get((line["fault"], line["peer"]), math.inf),
        )
        for line in run.records("launcher", "fault_applied")
    ]


def _final_states(run: RunFolder) -> Iterator[str]:
    """Every peer completed, or is gone because a fault took it away for good."""
    ended = run.ended()
    for peer, state in (ended or {}).get("states", {}).items():
        if state != "completed" and not state.endswith(AS_PLANNED):
            yield f"{peer} {state}"


def _progress(run: RunFolder) -> Iterator[str]:
    """Who was healed ended a round soon after: within three long rounds, ten seconds at least."""
    bound_s = max(_LEAST_BOUND_S, _ROUNDS_TO_RECOVER * _round_s(run))
    for firing in firings(run):
        after = [t for t in _round_ends(run, firing.peer) if t > firing.ended_s]
        over = run.last(firing.peer, "deployed") or _is_away(run, firing.peer)
        if firing.ended_s == math.inf or (not after and over):
            continue
        if not after or after[0] - firing.ended_s > bound_s:
            took = f"only after {after[0] - firing.ended_s:.1f} s" if after else "never"
            yield f"{firing.peer} ended a round after {firing.occurrence['id']} {took}"


def _crossings(run: RunFolder) -> Iterator[str]:
    """No mask and no weights that were sent and received while a link was cut came across it."""
    for began_s, ended_s, name, (giver, taker) in _cuts(run):
        trained = {x["round"]: x["t_s"] for x in reversed(run.records(giver, "trained"))}
        for line in run.records(taker, "heard"):
            sent_s = trained.get(line["round"], -math.inf)  # the first time, if twice
            if giver in line["peers"] and began_s < sent_s and line["t_s"] < ended_s:
                yield f"{taker} heard {giver} in round {line['round']} across {name}"
        for line in run.records(taker, "pulled"):
            inside = began_s < line["t_s"] - line["wall_s"] and line["t_s"] < ended_s
            if line["donor"] == giver and inside and line["fetched_bytes"]:
                yield f"{taker} pulled from {giver} in round {line['round']} across {name}"


def _cuts(run: RunFolder) -> Iterator[tuple[float, float, str, tuple[str, str]]]:
    """Yield when and where nothing may pass: from, to, fault, (giver, taker)."""
    spans: dict[str, tuple[float, float]] = {}
    for firing in firings(run):
        if firing.occurrence["kind"] in _SILENCE:
            began_s, ended_s = spans.get(firing.occurrence["id"], (-math.inf, math.inf))
            narrowed = max(began_s, firing.began_s), min(ended_s, firing.ended_s)
            spans[firing.occurrence["id"]] = narrowed
    for each in occurrences(run):
        for link in each["links"] if each["id"] in spans else ():
            yield (*spans[each["id"]], each["id"], (link[0], link[1]))


def _stale(run: RunFolder) -> Iterator[str]:
    """What was averaged is what its donor offered in that round, by its digest."""
    if run.plan["settings"].get("pull") == "overlap":
        return  # each requester gets a part of its own
    offered = {
        (peer, line["round"], line["digest"])
        for peer in run.peers
        for line in run.records(peer, "offered")
    }
    for peer in run.peers:
        for line in run.records(peer, "pulled"):
            if (line["donor"], line["round"], line["digest"]) not in offered:
                yield f"{peer} took weights of {line['donor']} that it never offered in that round"


def _poison(run: RunFolder) -> Iterator[str]:
    """No loss is a NaN, and no weights that fail the checks on receipt were averaged."""
    for peer in run.peers:
        losses = [line["loss"] for line in run.records(peer, "trained")]
        if any(loss is not None and not math.isfinite(loss) for loss in losses):
            yield f"{peer} trained to a loss that is no number"
    for firing in firings(run):
        if is_to_be_left_out(run, firing.occurrence):
            takers = [p for p in run.peers if p != firing.peer and _averaged(run, p, firing)]
            if takers:
                yield f"{', '.join(takers)} averaged {firing.occurrence['id']} of {firing.peer}"


def _averaged(run: RunFolder, peer: str, firing: Firing) -> bool:
    rounds = rounds_of_lies(run, firing.peer, firing.began_s, firing.ended_s)
    return any(
        firing.peer in line["members"] and line["round"] in rounds
        for line in run.records(peer, "aggregated")
    )


def _groups(run: RunFolder) -> Iterator[str]:
    """After the last fault the groups are found about as well as before the first.

    Not where a rude peer is there to the end: what it harms, it harms for good. Nor where faults
    go on into the last round: there is no "after".
    """
    fired, scores = firings(run), ari_by_round(run)
    if not fired or not scores:
        return
    if any(f.occurrence["kind"] in RUDE and f.ended_s == math.inf for f in fired):
        raise _Moot("a rude peer is there to the end")
    first_s = min(f.began_s for f in fired)
    over_s = max(f.began_s if f.ended_s == math.inf else f.ended_s for f in fired)
    before = [score for t, score in scores.items() if _grouped_s(run, t)[1] < first_s]
    last_round = max(scores)
    if not before:
        raise _Moot("faults begin before the first grouping")
    if _grouped_s(run, last_round)[0] <= over_s:
        raise _Moot("faults go on into the last round")
    last = scores[last_round]
    if last < before[-1] - _GROUPS_WORSE_BY:
        yield f"adjusted Rand index {before[-1]:.2f} before, {last:.2f} in the last round"


def _grouped_s(run: RunFolder, round_index: int) -> tuple[float, float]:
    """Return when the first and the last peer grouped in a round."""
    lines: list[Line] = [x for peer in run.peers for x in run.records(peer, "grouped")]
    times = [float(line["t_s"]) for line in lines if line["round"] == round_index]
    return min(times), max(times)


def _is_away(run: RunFolder, peer: str) -> bool:
    """Tell whether a fault took a peer away for good."""
    ended = run.ended()
    return ended is not None and str(ended["states"].get(peer, "")).endswith(AS_PLANNED)


def _round_ends(run: RunFolder, peer: str) -> list[float]:
    return [line["t_s"] for line in run.records(peer, "traffic")]


def _round_s(run: RunFolder) -> float:
    """Return how long a round takes at most: the mean over the peers of each one's longest."""
    gaps = [[b - a for a, b in pairwise(_round_ends(run, peer))] for peer in run.peers]
    known = [max(each) for each in gaps if each]
    return fmean(known) if known else 0.0
