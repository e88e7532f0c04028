"""Did each fault of a run fire, bite, and stay contained? Read off the journals afterwards.

After Jepsen: a run writes a history with its faults inline, checkers judge it when it is over.
docs/faults.md defines each word.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from prisam_p2p.measure.records import AS_PLANNED
from prisam_p2p.report.run_folder import Line, RunFolder

TRUE, FALSE, UNKNOWN = "true", "false", "unknown"
_FINE = ("completed", AS_PLANNED)
_TAKES_AWAY = frozenset({"kill", "term", "leave", "restart", "pause"})


@dataclass(frozen=True)
class FaultVerdict:
    """One occurrence, judged.

    Attributes:
        fired: it was applied at one peer at least.
        verified: there is evidence at every peer that it was applied at.
        contained: everybody ended as expected, and who was healed made progress after it.
        peers: where it was applied.
        late_s: the most that it was applied after its time.
        detected_s: from its application until the first neighbor noticed that a peer was gone;
            None where no neighbor did, or nobody went.
        rounds_lost: (neighbor, round) pairs in which a hit peer's mask was missing.
        verdict: true, false or unknown (the run did not come to its end); the worst counts.
        why: in words, where it is not true.
    """

    id: str
    kind: str
    fired: bool
    verified: bool
    contained: bool
    peers: list[str]
    late_s: float
    detected_s: float | None
    rounds_lost: int
    verdict: str
    why: str


def fault_verdicts(run: RunFolder) -> list[FaultVerdict]:
    """Return a verdict for each occurrence of the run's fault plan; none without a plan."""
    path = run.path / "faults.json"
    if not path.exists():
        return []
    occurrences = json.loads(path.read_text())["occurrences"]
    return [_judge(run, occurrence) for occurrence in occurrences]


def faults_json(verdicts: list[FaultVerdict]) -> list[dict[str, Any]]:
    """Return what summary.json says of the faults."""
    return [asdict(verdict) for verdict in verdicts]


def fault_lines(faults: list[dict[str, Any]]) -> list[str]:
    """Return the verdicts in words: how many are true, and a line for each that is not."""
    if not faults:
        return []
    true = sum(each["verdict"] == TRUE for each in faults)
    lines = [f"faults: {true} of {len(faults)} fired, bit and were contained"]
    return lines + [f"  {f['id']}: {f['verdict']}, {f['why']}" for f in faults if f["why"]]


def fault_complaint(faults: list[dict[str, Any]]) -> str | None:
    """Return why the check of a run's faults failed; None = it did not."""
    failed = [f"{each['id']}: {each['why']}" for each in faults if each["verdict"] == FALSE]
    return f"{len(failed)} of {len(faults)} faults failed: {'; '.join(failed)}" if failed else None


def _judge(run: RunFolder, occurrence: dict[str, Any]) -> FaultVerdict:
    name, kind = occurrence["id"], occurrence["kind"]
    applied = _of(run, "fault_applied", name)
    hit = sorted({line["peer"] for line in applied})
    verified = {line["peer"] for line in _of(run, "fault_verified", name)}
    nobody = not (occurrence["peers"] or occurrence["links"])
    why = "" if nobody else _why(run, name, hit, verified)
    ended = run.last("launcher", "run_ended")
    over = ended is not None and ended["status"] == "completed"
    return FaultVerdict(
        id=name,
        kind=kind,
        fired=bool(hit),
        verified=bool(hit) and verified >= set(hit),
        contained=over and not _uncontained(run, name),
        peers=hit,
        late_s=max((line["late_s"] for line in applied), default=0.0),
        detected_s=_detected_s(run, applied) if kind in _TAKES_AWAY else None,
        rounds_lost=_rounds_lost(run, applied) if kind in _TAKES_AWAY else 0,
        verdict=UNKNOWN if not over else FALSE if why else TRUE,
        why=why if over else "the run did not come to its end",
    )


def _of(run: RunFolder, record: str, name: str) -> list[Line]:
    return [line for line in run.records("launcher", record) if line["fault"] == name]


def _why(run: RunFolder, name: str, hit: list[str], verified: set[str]) -> str:
    if not hit:
        return "it never fired"
    unproven = sorted(set(hit) - verified)
    if unproven:
        return f"no evidence that it bit at {', '.join(unproven)}"
    return _uncontained(run, name)


def _uncontained(run: RunFolder, name: str) -> str:
    """Return what went wrong beyond the fault, empty if nothing did."""
    ended = run.last("launcher", "run_ended")
    states = (ended or {}).get("states", {})
    lost = [f"{peer} {state}" for peer, state in states.items() if not state.endswith(_FINE)]
    if lost:
        return f"not contained: {', '.join(lost)}"
    for healed in _of(run, "fault_healed", name):
        peer, at_s = healed["peer"], healed["t_s"]
        done = [line for line in run.records(peer, "traffic") if line["t_s"] > at_s]
        if not done and states.get(peer) != "completed":
            return f"{peer} finished no round after it was healed"
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
