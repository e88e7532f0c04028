"""What earlier launches of a run left behind, for the next one to continue."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prisam_p2p.faults.fault_plan import FaultPlan
from prisam_p2p.faults.remaining import gone_for_good, open_hits
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import read_journal
from prisam_p2p.measure.state import kept_states, rounds_to_begin_with
from prisam_p2p.plan.plan import PeerPlan, Plan

Line = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """The earlier launches of a run; without arguments, a run that has had none.

    Attributes:
        launches: their number.
        ended_s: time of the last record of any journal; the run's clock continues from there.
        began_s: when the rounds began in the first launch.
        incarnations: peer -> number of its next process.
        rounds: peer -> the round that it begins with now.
        over: peer -> final state, of the peers that do not start again.
        open_faults: (occurrence, peer) of faults that were active when the last launch ended.
        out_of_step: peers whose state of the round that the others begin with is not there.
    """

    run_id: str
    launches: int = 0
    ended_s: float = 0.0
    began_s: float = 0.0
    incarnations: dict[str, int] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    open_faults: list[tuple[str, str]] = field(default_factory=list)
    out_of_step: list[str] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the rounds began, in earlier launches."""
        return self.ended_s - self.began_s


def launcher_history(run_dir: Path) -> list[Line]:
    """Return the launcher's records, of all its launches."""
    return _history(run_dir, "launcher")


def past_of(run_dir: Path, plan: Plan, faults: FaultPlan | None) -> Past:
    """Return what the launches of the run in `run_dir` left behind.

    Raises:
        ConfigError: a state file is not readable as one.
    """
    history = launcher_history(run_dir)
    kept = {peer: kept_states(run_dir / "state" / f"{peer}.safetensors") for peer in plan.peers}
    over = _over(run_dir, plan, faults, kept, history)
    begun = [x["t_s"] for x in history if x["record"] == "all_ready"]
    ends = [_last_s(path) for path in (run_dir / "journal").glob("*.jsonl")]
    going_on = {p: states_of_stay(kept[p], plan.peers[p]) for p in kept if p not in over}
    unseen = [p for p, states in going_on.items() if plan.peers[p].arrival and not states]
    rounds = _rounds({p: going_on[p] for p in going_on.keys() - {*unseen}}, plan)
    start = max(rounds.values(), default=0)
    over |= dict.fromkeys(replaced_before(plan, start), f"stopped{records.AS_PLANNED}")
    rounds |= dict.fromkeys(unseen, start)
    rounds = {peer: rounds[peer] for peer in plan.peers if peer in rounds and peer not in over}
    there = {p: going_on[p] for p in rounds if not comes_later(plan.peers[p], start)}
    return Past(
        run_id=next(x["run_id"] for x in history if x["record"] == "run_started"),
        launches=sum(x["record"] == "run_started" for x in history),
        ended_s=max(ends),
        began_s=min(begun, default=max(ends)),
        incarnations={
            x["peer"]: x["incarnation"] + 1 for x in history if x["record"] == "peer_started"
        },
        rounds=rounds,
        over=over,
        open_faults=sorted(hit for hit in open_hits(history) if hit[1] not in over),
        out_of_step=[] if plan.traits.silent else out_of_step(there, {p: rounds[p] for p in there}),
    )


def _rounds(kept: Mapping[str, Collection[int]], plan: Plan) -> dict[str, int]:
    """Return the round that each peer begins with; silent algorithms need no common one."""
    if not plan.traits.silent:
        return first_rounds(kept, plan.settings.rounds)
    alone = [first_rounds({peer: states}, plan.settings.rounds) for peer, states in kept.items()]
    return {peer: begin for each in alone for peer, begin in each.items()}


def _over(
    run_dir: Path,
    plan: Plan,
    faults: FaultPlan | None,
    kept: dict[str, dict[int, Path]],
    history: Sequence[Line],
) -> dict[str, str]:
    """Return the peers that do not start again: gone as planned, done early, out of memory."""
    codes = {x["peer"]: x["exit_code"] for x in history if x["record"] == "peer_ended"}
    over = {}
    for peer in gone_for_good(faults, history) if faults else ():
        fate = f"died with {codes[peer]}" if codes.get(peer) else "stopped"
        over[peer] = fate + records.AS_PLANNED
    for peer in plan.peers.keys() - over.keys():
        mine = _history(run_dir, peer)
        last = max((i for i, x in enumerate(mine) if x["record"] == "started"), default=0)
        told = {x["record"]: x for x in mine[last:]}
        if "deployed" in told and max(kept[peer], default=0) < plan.settings.rounds:
            over[peer] = "completed"
        elif told.get("finished", {}).get("state") == "out-of-memory":
            over[peer] = "out-of-memory"
    return over


def _history(run_dir: Path, name: str) -> list[Line]:
    path = run_dir / "journal" / f"{name}.jsonl"
    return list(read_journal(path)) if path.exists() else []


def _last_s(path: Path) -> float:
    lines = path.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    return float(json.loads(whole[-1])["t_s"]) if whole else 0.0


# -- the round to go on with -----------------------------------------------------------


def first_rounds(kept: Mapping[str, Collection[int]], rounds: int) -> dict[str, int]:
    """Return the round that each peer begins with.

    That is the round that most peers can begin with, and the latest of these. As a rule all peers
    can: neighbors are at most a round apart and each kept its last two states. So no mask is
    missing in any round. A peer that is further behind (it was away, or lost its state) begins
    there too, with the state it has; a peer without a state that old begins with its oldest.

    Args:
        kept: peer -> rounds that it has a state for; a peer without a state begins with W0.
        rounds: of the run; a peer that has done them all does the last one again, for the others.
    """
    able = {
        peer: {t for t in rounds_to_begin_with(states) if t < rounds}
        for peer, states in kept.items()
    }
    counts = Counter(t for each in able.values() for t in each)
    start = max(counts, key=lambda t: (counts[t], t), default=0)
    return {
        peer: start if start in able[peer] or not states else max(start, min(states))
        for peer, states in kept.items()
    }


def states_of_stay(kept: Mapping[int, Path], peer: PeerPlan) -> dict[int, Path]:
    """Return the states that a device can go on with while it is there.

    One that takes another's place in a round begins that round with W0, whenever it is done.
    """
    first = peer.arrival.round + 1 if peer.arrival else 0
    end = peer.leaves
    return {t: path for t, path in kept.items() if t >= first and (end is None or t <= end)}


def comes_later(peer: PeerPlan, start: int) -> bool:
    """Tell whether a device takes another's place in round `start` or a later one."""
    return peer.arrival is not None and peer.arrival.round >= start


def replaced_before(plan: Plan, start: int) -> list[str]:
    """Return the devices whose places were taken before round `start`, ascending."""
    found = ((peer, each.leaves) for peer, each in plan.peers.items())
    return sorted(peer for peer, leaves in found if leaves is not None and leaves < start)


def out_of_step(kept: Mapping[str, Collection[int]], begins: Mapping[str, int]) -> list[str]:
    """Return the peers that do not begin with a state of the round that most begin with."""
    start, _ = Counter(begins.values()).most_common(1)[0] if begins else (0, 0)
    return [
        peer
        for peer, states in sorted(kept.items())
        if begins[peer] != start or (start not in states and start > 0)
    ]
