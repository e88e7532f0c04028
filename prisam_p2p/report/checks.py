"""What must hold in every run, whatever faults it had: checked over its journals afterwards.

After Jepsen: a run writes a history with its faults inline, and checkers judge it when it is over.
Each check counts what it judged. One that judged nothing is neither true nor false: it is not
judged. docs/faults.md says what each check is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.measure.records import AS_PLANNED
from prisam_p2p.report.applied_faults import AppliedFault, CutLink, applied_faults, cuts
from prisam_p2p.report.byzantine_peers import attacked_rounds, must_be_left_out
from prisam_p2p.report.groups import ari_by_round
from prisam_p2p.report.lost_tails import lost_tails
from prisam_p2p.report.run_folder import Line, RunFolder
from prisam_p2p.report.verdicts import FALSE, NOT_JUDGED, TRUE, UNKNOWN, verdict_lines

_LEAST_BOUND_S, _ROUNDS_TO_RECOVER = 10.0, 3
_GROUPS_WORSE_BY = 0.1
_NAMED = 10
"""At most this many things that break a rule are named."""


@dataclass(frozen=True)
class Check:
    """A check and its verdict.

    Attributes:
        verdict: true, false, unknown or not judged (verdicts.py).
        why: in words, where it is not true.
        judged: how many `things` it looked at; 0 where it is unknown or not judged.
    """

    check: str
    verdict: str
    why: str
    judged: int
    things: str


@dataclass(frozen=True)
class Found:
    """What a check found.

    Attributes:
        judged: how many things it looked at.
        wrong: a sentence for each that breaks the rule.
        nothing: why there was nothing to look at, said where `judged` is 0.
    """

    judged: int
    wrong: list[str]
    nothing: str


def run_checks(run: RunFolder) -> list[Check]:
    """Return the verdict of each check of a run."""
    ended = run.ended()
    if ended is None or ended["status"] != "completed":
        why = "the run did not come to its end"
        return [Check(name, UNKNOWN, why, 0, things) for name, (things, _) in _CHECKS.items()]
    return [_checked(run, name) for name in _CHECKS]


def checks_json(checks: list[Check]) -> list[dict[str, Any]]:
    """Return what summary.json says of the checks."""
    return [asdict(check) for check in checks]


def check_lines(checks: list[dict[str, Any]]) -> list[str]:
    """Return the checks in words: how many hold, and what is to be said of the others."""
    return verdict_lines("checks", "hold", checks, "check")


def _checked(run: RunFolder, name: str) -> Check:
    things, check = _CHECKS[name]
    found = check(run)
    if found.wrong:
        named, n_more = found.wrong[:_NAMED], len(found.wrong) - _NAMED
        why = "; ".join([*named, *([f"and {n_more} more"] if n_more > 0 else [])])
        return Check(name, FALSE, why, found.judged, things)
    if not found.judged:
        return Check(name, NOT_JUDGED, found.nothing, 0, things)
    return Check(name, TRUE, "", found.judged, things)


def _final_states(run: RunFolder) -> Found:
    """Every peer completed, or is gone because a fault took it away for good."""
    states = (run.ended() or {}).get("states", {})
    wrong = [
        f"{peer} {state}"
        for peer, state in states.items()
        if state != "completed" and not state.endswith(AS_PLANNED)
    ]
    return Found(len(states), wrong, "no peer has a final state")


def _progress(run: RunFolder) -> Found:
    """A healed peer ends a round soon: within three long rounds, ten seconds at least."""
    bound_s = max(_LEAST_BOUND_S, _ROUNDS_TO_RECOVER * _longest_round_s(run))
    healed = [firing for firing in applied_faults(run) if firing.ended_s < math.inf]
    waits = [(firing, _until_a_round_s(run, firing)) for firing in healed]
    judged = [(firing, wait_s) for firing, wait_s in waits if wait_s is not None]
    wrong = [
        f"{firing.peer} ended a round after {firing.occurrence['id']} "
        + ("never" if wait_s == math.inf else f"only after {wait_s:.1f} s")
        for firing, wait_s in judged
        if wait_s > bound_s
    ]
    nothing = "no healed peer had a round left" if healed else "no fault was healed"
    return Found(len(judged), wrong, nothing)


def _until_a_round_s(run: RunFolder, firing: AppliedFault) -> float | None:
    """Return the seconds from a heal to the end of the peer's next round; infinity: there is none.

    None where the peer had no round left, or another fault took it away for good.
    """
    after = [t for t in _round_ends_s(run, firing.peer) if t > firing.ended_s]
    if after:
        return after[0] - firing.ended_s
    is_over = run.last(firing.peer, "deployed") or _is_away(run, firing.peer)
    return None if is_over else math.inf


def _crossings(run: RunFolder) -> Found:
    """No mask and no weights that were sent and received while a link was cut came across it."""
    links = list(cuts(run))
    wrong = [sentence for cut in links for sentence in _crossed(run, cut)]
    return Found(len(links), wrong, "no link was cut")


def _crossed(run: RunFolder, cut: CutLink) -> list[str]:
    trained = {x["round"]: x["t_s"] for x in reversed(run.records(cut.sender, "trained"))}
    found = []
    for line in run.records(cut.receiver, "heard"):
        sent_s = trained.get(line["round"], -math.inf)  # the first time, if twice
        if cut.sender in line["peers"] and cut.began_s < sent_s and line["t_s"] < cut.ended_s:
            found.append(_sentence(cut, "heard", line))
    for line in run.records(cut.receiver, "pulled"):
        inside = cut.began_s < line["t_s"] - line["wall_s"] and line["t_s"] < cut.ended_s
        if line["donor"] == cut.sender and inside and line["fetched_bytes"]:
            found.append(_sentence(cut, "pulled from", line))
    return found


def _sentence(cut: CutLink, did: str, line: Line) -> str:
    return f"{cut.receiver} {did} {cut.sender} in round {line['round']} across {cut.fault}"


def _stale(run: RunFolder) -> Found:
    """What was averaged is what its donor offered in that round, by its digest.

    A donor's last offers may be lost with its host: pulls since then are not judged.
    """
    if run.plan["settings"].get("pull") == "overlap":
        nothing = "with pull = overlap a donor gives parts, whose digests it does not record"
        return Found(0, [], nothing)
    offered = {
        (peer, line["round"], line["digest"])
        for peer in run.peers
        for line in run.records(peer, "offered")
    }
    pulls = [(peer, line) for peer in run.peers for line in run.records(peer, "pulled")]
    strange = [
        (peer, line)
        for peer, line in pulls
        if (line["donor"], line["round"], line["digest"]) not in offered
    ]
    tails = lost_tails(run) if strange else []
    wrong = [
        f"{peer} took weights of {line['donor']} that it never offered in that round"
        for peer, line in strange
        if not any(tail.hides(line["donor"], line["t_s"]) for tail in tails)
    ]
    judged = len(pulls) - len(strange) + len(wrong)
    return Found(judged, wrong, "no weights were pulled")


def _poison(run: RunFolder) -> Found:
    """No loss is a NaN, and no weights that fail the checks on receipt were averaged."""
    judged, wrong = 0, []
    for peer in run.peers:
        losses = [x["loss"] for x in run.records(peer, "trained") if x["loss"] is not None]
        judged += len(losses)
        if not all(map(math.isfinite, losses)):
            wrong.append(f"{peer} trained to a loss that is no number")
    for firing in applied_faults(run):
        if must_be_left_out(run, firing.occurrence):
            averages = _averages_meanwhile(run, firing)
            judged += len(averages)
            takers = dict.fromkeys(p for p, line in averages if firing.peer in line["members"])
            if takers:
                wrong.append(
                    f"{', '.join(takers)} averaged {firing.occurrence['id']} of {firing.peer}"
                )
    return Found(judged, wrong, "no loss was recorded")


def _averages_meanwhile(run: RunFolder, firing: AppliedFault) -> list[tuple[str, Line]]:
    """Return (peer, its average) of the others, in the rounds in which one gave bad weights."""
    rounds = attacked_rounds(run, firing.peer, firing.began_s, firing.ended_s)
    return [
        (peer, line)
        for peer in run.peers
        if peer != firing.peer
        for line in run.records(peer, "aggregated")
        if line["round"] in rounds
    ]


def _groups(run: RunFolder) -> Found:
    """After the last fault the groups are found about as well as before the first.

    Not judged where a Byzantine peer stays to the end: its harm does not go away. Nor where faults
    go on into the last round: there is no "after". Nor where data drifted: whether the groups
    follow is a result of the algorithm, which summary.json has (`ari_by_round`).
    """
    fired, scores = applied_faults(run), ari_by_round(run)
    if not fired:
        return Found(0, [], "no fault fired")
    if not scores:
        return Found(0, [], "the data have no groups, or no peer clustered")
    if any(KINDS[f.occurrence["kind"]].is_attack and f.ended_s == math.inf for f in fired):
        return Found(0, [], "a Byzantine peer stays to the end")
    if any(KINDS[f.occurrence["kind"]].changes_data for f in fired):
        return Found(0, [], "data drifted: how the groups follow is a result")
    first_s = min(f.began_s for f in fired)
    over_s = max(f.began_s if f.ended_s == math.inf else f.ended_s for f in fired)
    before = [score for t, score in scores.items() if max(_grouped_s(run, t)) < first_s]
    if not before:
        return Found(0, [], "faults begin before the first grouping")
    last_round = max(scores)
    grouped_s = _grouped_s(run, last_round)
    if min(grouped_s) <= over_s:
        return Found(0, [], "faults go on into the last round")
    last, wrong = scores[last_round], []
    if last < before[-1] - _GROUPS_WORSE_BY:
        wrong = [f"adjusted Rand index {before[-1]:.2f} before, {last:.2f} in the last round"]
    return Found(len(grouped_s), wrong, "")


_CHECKS: dict[str, tuple[str, Callable[[RunFolder], Found]]] = {
    "final states": ("peers", _final_states),
    "progress after heal": ("heals", _progress),
    "nothing across a cut": ("cut links", _crossings),
    "no stale snapshot": ("pulls", _stale),
    "no poison": ("losses and averages", _poison),
    "groups recovered": ("clusterings", _groups),
}
"""Name -> what it counts, and the check."""


def _grouped_s(run: RunFolder, round_index: int) -> list[float]:
    """Return when each peer grouped in a round."""
    lines = [line for peer in run.peers for line in run.records(peer, "grouped")]
    return [float(line["t_s"]) for line in lines if line["round"] == round_index]


def _is_away(run: RunFolder, peer: str) -> bool:
    """Tell whether a fault took a peer away for good."""
    ended = run.ended()
    return ended is not None and str(ended["states"].get(peer, "")).endswith(AS_PLANNED)


def _round_ends_s(run: RunFolder, peer: str) -> list[float]:
    return [line["t_s"] for line in run.records(peer, "traffic")]


def _longest_round_s(run: RunFolder) -> float:
    """Return how long a round takes at most: the mean over the peers of each one's longest."""
    gaps = [[b - a for a, b in pairwise(_round_ends_s(run, peer))] for peer in run.peers]
    known = [max(each) for each in gaps if each]
    return fmean(known) if known else 0.0
