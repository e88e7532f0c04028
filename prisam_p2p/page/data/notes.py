"""Events that a timeline marks: stalls, restarts, peers that joined, fell out or skipped rounds."""

from __future__ import annotations

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.shared import LAUNCHER, Handlers, Shared


class Notes:
    """Folds what happened to a run and its peers beside the rounds."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._rows = shared, shared.tables["notes"]

    @property
    def handlers(self) -> Handlers:
        """Record of a peer -> what folds it."""
        return {
            "resumed": lambda peer, x: self._note(
                x, peer, f"begins with round {x['round']}; weights: {x['source']}"
            ),
            "caught_up": lambda peer, x: self._note(
                x, peer, f"skips to round {x['next_round']}: its neighbors are there"
            ),
            "data_changed": lambda peer, x: self._note(
                x, peer, f"has {x['new']} new images, most are of data group {x['group']}"
            ),
            "guard_acted": lambda peer, x: self._note(
                x, peer, f"accuracy fell: prune ratio {x['prune_ratio']:.2f} from now on"
            ),
            "memory_exceeded": lambda peer, x: self._note(x, peer, f"out of memory: {x['error']}"),
            "state_not_written": lambda peer, x: self._note(
                x, peer, f"state not written: {x['reason']}"
            ),
            "turned": lambda peer, x: self._note(
                x, peer, f"rejected {x['count']} messages of {x['sender']}: {x['verdict']}"
            ),
        }

    @property
    def launcher_handlers(self) -> Handlers:
        """Record of the launcher -> what folds it."""
        return {
            "run_started": self._run_started,
            "all_ready": lambda _, x: self._note(x, LAUNCHER, "the rounds begin"),
            "peer_started": self._peer_started,
            "peer_ended": self._peer_ended,
            "peer_refused": lambda _, x: self._of(x, f"lost: {x['what']}: {x['reason']}"),
            "stalled": lambda _, x: self._of(x, f"stands still: {x['reason']}, {x['doing']}"),
            "moved_on": lambda _, x: self._of(x, f"gets on again after {x['after_s']:.1f} s"),
            "given_up": self._given_up,
            "settled": lambda _, x: self._note(x, LAUNCHER, "the network has settled"),
        }

    def _run_started(self, _: int, line: Line) -> None:
        if line.get("launches"):
            self._note(line, LAUNCHER, "the run was resumed")

    def _peer_started(self, _: int, line: Line) -> None:
        if line["incarnation"]:
            self._of(line, f"started again, process {line['incarnation'] + 1}")

    def _peer_ended(self, _: int, line: Line) -> None:
        if line["exit_code"]:
            self._of(line, f"process ended with {line['exit_code']}")

    def _given_up(self, _: int, line: Line) -> None:
        for peer in line["peers"]:
            why = line.get("reasons", {}).get(peer, f"silent for {line['silent_s']:.0f} s")
            self._note(line, self._shared.plan.number(peer), f"ended by the watchdog: {why}")

    def _of(self, line: Line, text: str) -> None:
        """Note something of the peer that the launcher names, or of another process of the run."""
        peer = self._shared.plan.number(line["peer"])
        self._note(line, peer, text if peer != LAUNCHER else f"{line['peer']} {text}")

    def _note(self, line: Line, peer: int, text: str) -> None:
        self._rows.put(self._shared.seconds(line["t_s"]), peer, text)
