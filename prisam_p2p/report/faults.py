"""Did each fault of a run fire, bite, and stay contained? Read off the journals afterwards.

docs/faults.md defines each word.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.measure.records import AS_PLANNED, GUARDED
from prisam_p2p.plan.data_groups import predecessor
from prisam_p2p.report.applied_faults import occurrences
from prisam_p2p.report.byzantine_peers import named_by
from prisam_p2p.report.run_folder import Line, RunFolder
from prisam_p2p.report.verdicts import FALSE, NOT_JUDGED, TRUE, UNKNOWN, verdict_lines

_FINE = ("completed", AS_PLANNED)


@dataclass(frozen=True)
class FaultVerdict:
    """One occurrence, judged.

    Attributes:
        fired: it was applied to at least one peer.
        verified: there is evidence at every peer that it was applied to.
        contained: every peer ended as expected, and healed ones made progress; None where that is
            unknown: it never fired, or the run did not come to its end.
        peers: those that it was applied to.
        late_s: the longest that it was applied after its time.
        detected_s: seconds from its application until the first neighbor noticed that a peer was
            down; None where no neighbor did, or the kind takes no peer down.
        rounds_lost: (neighbor, round) pairs in which a hit peer's mask was missing.
        named_by: of Byzantine peers: the others whose journals name them.
        bytes_wasted: of weights that were fetched from a hit peer and discarded.
        accuracy_change: mean deployed accuracy of the hit peers minus theirs in the control run;
            None without a control run, or where none of them deployed.
        verdict: true, false, unknown (the run did not come to its end, or nothing passed that the
            fault could have touched), or not judged (it was not to fire at anybody).
        why: in words, where it is not true.
        replaced: newcomer -> the peer whose place it took; {} of other kinds.
    """

    id: str
    kind: str
    fired: bool
    verified: bool
    contained: bool | None
    peers: list[str]
    late_s: float
    detected_s: float | None
    rounds_lost: int
    named_by: list[str]
    bytes_wasted: int
    accuracy_change: float | None
    verdict: str
    why: str
    replaced: dict[str, str] = field(default_factory=dict)


def fault_verdicts(run: RunFolder, control_run: RunFolder | None = None) -> list[FaultVerdict]:
    """Return a verdict for each occurrence of the run's fault plan; none without a plan.

    Args:
        control_run: the same plan, run without faults.
    """
    return [_judge(run, occurrence, control_run) for occurrence in occurrences(run)]


def faults_json(verdicts: list[FaultVerdict]) -> list[dict[str, Any]]:
    """Return what summary.json says of the faults."""
    return [asdict(verdict) for verdict in verdicts]


def fault_lines(faults: list[dict[str, Any]]) -> list[str]:
    """Return the verdicts in words, no line without faults."""
    if not faults:
        return []
    return verdict_lines("faults", "fired, bit and were contained", faults, "id")


def _judge(
    run: RunFolder, occurrence: dict[str, Any], control_run: RunFolder | None
) -> FaultVerdict:
    name, kind = occurrence["id"], occurrence["kind"]
    applied = _of(run, "fault_applied", name)
    hit = sorted({line["peer"] for line in applied})
    verified = {line["peer"] for line in _of(run, "fault_verified", name)}
    verdict, why = _verdict(run, occurrence, hit, verified)
    return FaultVerdict(
        id=name,
        kind=kind,
        fired=bool(hit),
        verified=bool(hit) and verified >= set(hit),
        contained=not _uncontained(run, name, kind) if hit and _over(run) else None,
        peers=hit,
        late_s=max((line["late_s"] for line in applied), default=0.0),
        detected_s=_detected_s(run, applied) if KINDS[kind].takes_down else None,
        rounds_lost=_rounds_lost(run, applied) if KINDS[kind].takes_down else 0,
        named_by=named_by(run, applied) if KINDS[kind].is_attack else [],
        bytes_wasted=_bytes_wasted(run, name, applied),
        accuracy_change=_accuracy_change(run, hit, control_run) if control_run else None,
        verdict=verdict,
        why=why,
        replaced={p: x for p in hit if (x := predecessor(run.plan["peers"].get(p, {})))},
    )


def _verdict(
    run: RunFolder, occurrence: dict[str, Any], hit: list[str], verified: set[str]
) -> tuple[str, str]:
    """Return the verdict, and why it is not true."""
    if not _over(run):
        return UNKNOWN, "the run did not come to its end"
    if not (occurrence["peers"] or occurrence["links"]):
        return NOT_JUDGED, "it had no targets: all were down, or the guard forbade it"
    if not hit:
        missed = _of(run, "fault_missed", occurrence["id"])
        if missed and all(line["reason"] == GUARDED for line in missed):
            return NOT_JUDGED, "the guard kept it from firing"
        if missed:
            peers = ", ".join(sorted(line["peer"] for line in missed))
            return UNKNOWN, f"it hit no peer: {peers} was down"
        return FALSE, "it never fired"
    kind = occurrence["kind"]
    if why := _uncontained(run, occurrence["id"], kind):
        return FALSE, why
    if unproven := sorted(set(hit) - verified):
        why = KINDS[kind].unproven + ", ".join(unproven)
        if _launcher_died_after(run, occurrence["id"]):
            return UNKNOWN, f"{why}, before the launcher died"
        return (UNKNOWN if KINDS[kind].needs_victim else FALSE), why
    if KINDS[kind].replaces and (unheard := _unheard(run, hit)):
        return FALSE, f"no neighbor heard a mask of {', '.join(unheard)}"
    return TRUE, ""


def _unheard(run: RunFolder, hit: list[str]) -> list[str]:
    """Return the newcomers that no other peer heard; none where the algorithm sends no masks."""
    heard = {
        peer
        for each in run.peers
        for line in run.records(each, "heard")
        for peer in line["peers"]
        if peer != each
    }
    return [peer for peer in hit if peer not in heard] if heard else []


def _over(run: RunFolder) -> bool:
    ended = run.ended()
    return ended is not None and ended["status"] == "completed"


def _launcher_died_after(run: RunFolder, name: str) -> bool:
    """Tell whether a later launch of the run had to go on after a fault was applied."""
    begun_s = [line["t_s"] for line in run.records("launcher", "run_started")]
    return any(line["t_s"] < max(begun_s, default=0.0) for line in _of(run, "fault_applied", name))


def _of(run: RunFolder, record: str, name: str) -> list[Line]:
    return [line for line in run.records("launcher", record) if line["fault"] == name]


def _uncontained(run: RunFolder, name: str, kind: str) -> str:
    """Return what went wrong beyond the fault, empty if nothing did."""
    ended = run.ended()
    states = (ended or {}).get("states", {})
    lost = [f"{peer} {state}" for peer, state in states.items() if not state.endswith(_FINE)]
    if lost:
        return f"not contained: {', '.join(lost)}"
    joins = KINDS[kind].starts_absent
    for came in _of(run, "fault_verified" if joins else "fault_healed", name):
        peer, at_s = came["peer"], came["t_s"]
        done = [line for line in run.records(peer, "traffic") if line["t_s"] > at_s]
        if not done and not states.get(peer, "").endswith(_FINE):
            return f"{peer} finished no round after it {'joined' if joins else 'was healed'}"
    return ""


def _detected_s(run: RunFolder, applied: list[Line]) -> float | None:
    """Return the longest that it took until a first neighbor noticed a peer to be gone."""
    times = []
    for line in applied:
        noticed = [
            left["t_s"] - line["t_s"]
            for peer in run.peers
            for left in run.records(peer, "neighbor_left")
            if left["neighbor"] == line["peer"] and left["t_s"] >= line["t_s"]
        ]
        if noticed:
            times.append(min(noticed))
    return round(max(times), 6) if times else None


def _rounds_lost(run: RunFolder, applied: list[Line]) -> int:
    since = {line["peer"]: line["t_s"] for line in applied}
    return sum(
        line["t_s"] >= since[gone]
        for peer in run.peers
        for line in run.records(peer, "heard")
        for gone in line["missing"]
        if gone in since
    )


def _bytes_wasted(run: RunFolder, name: str, applied: list[Line]) -> int:
    since = {line["peer"]: line["t_s"] for line in applied}
    until = {line["peer"]: line["t_s"] for line in _of(run, "fault_healed", name)}
    return sum(
        line.get("fetched_bytes", 0)
        for peer in run.peers
        for record in ("pull_failed", "rejected")
        for line in run.records(peer, record)
        if line["donor"] in since
        and since[line["donor"]] <= line["t_s"] <= until.get(line["donor"], line["t_s"])
    )


def _accuracy_change(run: RunFolder, hit: list[str], control_run: RunFolder) -> float | None:
    both = [peer for peer in hit if peer in control_run.peers]  # there, no device is replaced
    here, there = ([each.last(peer, "deployed") for peer in both] for each in (run, control_run))
    changes = [a["test"] - b["test"] for a, b in zip(here, there, strict=True) if a and b]
    return round(fmean(changes), 6) if changes else None
