"""The peers that a run lost: who, why, in which round, and whether a fault was to do it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from prisam_p2p.faults.kinds import KINDS
from prisam_p2p.measure.records import AS_PLANNED
from prisam_p2p.report.applied_faults import applied_faults
from prisam_p2p.report.run_folder import Line, RunFolder

COMPLETED, INTERRUPTED, FAILED, KILLED = "completed", "interrupted", "failed", "killed"
"""How a run ended (`status` of summary.json)."""

OUT_OF_MEMORY = "out-of-memory"
_DIED, _REFUSED = "died with", "lost: "
_TOLD_TO_END = "told to end"


@dataclass(frozen=True)
class LostPeer:
    """A peer that ended before the run did, or without its result, and is not back.

    Attributes:
        reason: in words.
        round: the round that it was in, None if it ended before the rounds began.
        planned: whether a fault of the plan ended it.
        host: that it was lost with, "" if it was lost alone.
    """

    peer: str
    reason: str
    round: int | None
    planned: bool
    host: str = ""


@dataclass
class _LastProcess:
    """What the launcher's journal says of a peer's last process."""

    exit_code: int | None = None
    refused: str = ""
    given_up: str = ""
    lost_host: str = ""
    why_host: str = ""


@dataclass
class _Launcher:
    """What the launcher's journal says of all peers, read once."""

    processes: dict[str, _LastProcess] = field(default_factory=dict)
    rounds_began: bool = False

    def take(self, line: Line) -> None:
        """Take in the next line."""
        match line["record"]:
            case "peer_started":
                self.processes[line["peer"]] = _LastProcess()
            case "peer_ended":
                self.processes[line["peer"]].exit_code = line["exit_code"]
            case "peer_refused":
                self.processes[line["peer"]].refused = f"{line['what']}: {line['reason']}"
            case "given_up":
                for peer in self.processes.keys() & {*line["peers"]}:
                    self.processes[peer].given_up = _given_up(line, peer)
            case "host_lost":
                for peer in self.processes.keys() & {*line["peers"]}:
                    self.processes[peer].lost_host = line["host"]
                    self.processes[peer].why_host = line["reason"]
            case "all_ready":
                self.rounds_began = True


def lost_peers(run: RunFolder) -> list[LostPeer]:
    """Return the peers that a run lost, ascending."""
    launcher = _Launcher()
    for line in run.journals["launcher"]:
        launcher.take(line)
    ended = run.ended()
    status, states = (
        (ended["status"], ended["states"]) if ended else (KILLED, _states(run, launcher))
    )
    found = []
    for peer in run.peers:
        process, state = launcher.processes.get(peer), states.get(peer, "")
        if _is_lost(status, state, process):
            where = round_in(run, peer) if launcher.rounds_began and process else None
            reason = _reason(run, peer, state, process)
            host = process.lost_host if process else ""
            found.append(LostPeer(peer, reason, where, state.endswith(AS_PLANNED), host))
    return found


def round_in(run: RunFolder, peer: str) -> int:
    """Return the round in which a peer was when it wrote its last record of a round."""
    lines = [x for x in run.journals[peer] if "round" in x and not x.get("final")]
    return max((x["round"] + (x["record"] == "traffic") for x in lines), default=0)


def lost_as_json(lost: list[LostPeer]) -> list[dict[str, Any]]:
    """Return them as in summary.json."""
    return [asdict(each) for each in lost]


def _states(run: RunFolder, launcher: _Launcher) -> dict[str, str]:
    """Return the states of peers whose launcher was killed: of those that ended before it did."""
    away = {each.peer for each in applied_faults(run) if _ended_by(each.occurrence, each.ended_s)}
    states = {}
    for peer, process in launcher.processes.items():
        finished = run.finished(peer)
        if finished and finished["state"] == COMPLETED:
            continue
        if process.exit_code is None and not process.lost_host:
            continue
        fate = finished["state"] if finished and not process.exit_code else None
        planned = AS_PLANNED if peer in away else ""
        states[peer] = (fate or f"{_DIED} {process.exit_code}") + planned
    return states


def _ended_by(occurrence: Mapping[str, Any], healed_s: float) -> bool:
    return KINDS[occurrence["kind"]].ends_process and healed_s == float("inf")


def _is_lost(status: str, state: str, process: _LastProcess | None) -> bool:
    """Tell whether a peer with this final state was lost.

    In a run that was not completed, peers also end because the run does.
    """
    if status == COMPLETED:
        return state != COMPLETED
    if state.endswith(AS_PLANNED) or state.startswith((OUT_OF_MEMORY, _REFUSED)):
        return True
    if process is not None and process.lost_host:
        return state != COMPLETED
    if process is None or (status != KILLED and _TOLD_TO_END in process.given_up):
        return False
    told = (0,) if status == KILLED else (0, -signal.SIGTERM)
    return state.startswith(_DIED) and process.exit_code not in told


def _reason(run: RunFolder, peer: str, state: str, process: _LastProcess | None) -> str:
    """Return in words why a peer was lost."""
    if process is None:
        return "never started"
    if process.lost_host:
        return f"lost with host {process.lost_host}: {process.why_host}"
    if process.refused or process.given_up:
        return process.refused or process.given_up
    if state.startswith(OUT_OF_MEMORY):
        return "out of memory"
    code = process.exit_code
    if code is None:
        return state or "unknown"
    if code < 0:
        name = signal.Signals(-code).name if -code in _SIGNALS else f"signal {-code}"
        return "killed" if -code == signal.SIGKILL else f"ended by {name}"
    if code == 0:  # in a run that goes on, only a fault of the plan or somebody else stops a peer
        return "stopped" if state.endswith(AS_PLANNED) else "told to stop by SIGTERM"
    said = _said_last(run, peer)
    return f"ended with exit code {code}" + (f": {said}" if said else "")


_SIGNALS = {*map(int, signal.Signals)}


def _given_up(line: Line, peer: str) -> str:
    """Return why the watchdog ended a peer; journals of earlier releases tell no peer's reason."""
    reason = line.get("reasons", {}).get(peer, "stopped")
    if "reasons" in line:
        return f"{reason}: ended by the watchdog"
    return f"{reason}: ended by the watchdog after {line['silent_s']:.0f} s"


def _said_last(run: RunFolder, peer: str) -> str:
    """Return why a peer's last process failed: as it journalled it, or the last line of its log."""
    finished = run.finished(peer)
    if finished and finished["reason"]:
        return str(finished["reason"])
    try:
        lines = (run.path / "logs" / f"{peer}.log").read_text(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
