"""What the launcher knows of one peer's process, and its end of the control line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

from prisam_p2p.control.codec import decode_report, encode
from prisam_p2p.control.messages import (
    AtBarrier,
    Order,
    PeerDone,
    RemoveRule,
    Report,
    ResourceLost,
    RosterEntry,
    RuleRemoved,
    SetRule,
    TransferHeld,
)
from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.errors import ControlError, LaunchError
from prisam_p2p.measure import records
from prisam_p2p.processes.engine import StartedProcess
from prisam_p2p.system.json_lines import LineSocket
from prisam_p2p.system.refusals import refusal_in

_LAST_LINES = 15
_ABORT_LINES = 200
"""The reason of an abort stands before the stacks of all threads."""


@dataclass
class PeerProcess:
    """A peer's latest process, and what it has reported.

    Attributes:
        port: where it listens; None = it has not reported yet.
        rounds_done, accuracy, n_bytes: as it reported last; 0 and {} before the first report.
        before: the process of this peer that it follows.
        refusal: what the system refused it, so that it ended itself.
        settled: whether its connections are back at the end of the run; None = not known yet.
        given_up: why the watchdog ends it; "" = it does not.
        lost_host: the host that was lost with it; "" = none was.
        early: orders about rules that wait until it is up: before, it expects others.
        removing: rules that it was told to remove, and has not removed yet.
        owed: numbers of the processes that have not taken all orders yet, of the whole run.
    """

    spec: PeerSpec
    incarnation: Incarnation
    started: StartedProcess
    port: int | None = None
    ready: bool = False
    rounds_done: int = 0
    accuracy: dict[str, float] = field(default_factory=dict)
    n_bytes: int = 0
    result: PeerDone | None = None
    refusal: ResourceLost | None = None
    exit_code: int | None = None
    before: PeerProcess | None = None
    settled: bool | None = None
    given_up: str = ""
    lost_host: str = ""
    early: list[Order] = field(default_factory=list)
    removing: set[str] = field(default_factory=set)
    owed: set[int] = field(default_factory=set, repr=False)

    @property
    def number(self) -> int:
        """Of its process (processes/engine.py)."""
        return self.started.number

    @property
    def lines(self) -> LineSocket:
        """The launcher's end of its control line."""
        return self.started.line

    @property
    def peer(self) -> str:
        """The peer's name."""
        return self.spec.peer_id

    @property
    def all_bytes(self) -> int:
        """What this peer's processes have sent together."""
        return self.n_bytes + (self.before.all_bytes if self.before else 0)

    @property
    def last_accuracy(self) -> float | None:
        """The latest accuracy that this peer has reported, None before the first."""
        if self.accuracy:
            return list(self.accuracy.values())[-1]
        return self.before.last_accuracy if self.before else None

    @property
    def last_rounds_done(self) -> int:
        """The rounds behind this peer: its last process' until this one has reported its own."""
        return self.rounds_done or (self.before.last_rounds_done if self.before else 0)

    @property
    def roster_entry(self) -> RosterEntry | None:
        """Where it can be reached, or will be: a later process binds its predecessor's port."""
        port = self.port or self.incarnation.port
        if not port:
            return None
        key = self.spec.keys.public if self.spec.keys else None
        return RosterEntry(self.peer, self.spec.address, port, self.incarnation.number, key)

    @property
    def has_moved(self) -> bool:
        """Whether the neighbors cannot know where it is from the process before."""
        mine, old = self.roster_entry, self.before.roster_entry if self.before else None
        return mine is not None and (
            old is None
            or (mine.address, mine.port, mine.public_key) != (old.address, old.port, old.public_key)
        )

    @property
    def done(self) -> bool:
        """Whether it runs no more rounds, and only answers pulls of the others."""
        return self.result is not None and self.result.state != "stopped"

    def send(self, order: Order) -> None:
        """Send an order now, or once the process takes it: it may be stopped."""
        if self.port is None and isinstance(order, SetRule | RemoveRule):
            self.early.append(order)
            return
        if isinstance(order, RemoveRule):
            self.removing.add(order.rule_id)
        self.lines.send_line(encode(order))
        if self.lines.has_unsent:
            self.owed.add(self.number)

    def note_port(self, port: int) -> None:
        """Note where it listens, and send what had to wait for that."""
        self.port = port
        early, self.early = self.early, []
        for order in early:
            self.send(order)

    def receive(self) -> Iterator[Report] | None:
        """Wait for bytes; return the reports that are complete, None at the end of the line.

        Raises:
            LaunchError: (on iteration) a line is no report.
        """
        lines = self.lines.receive_lines()
        return None if lines is None else map(self._decode, lines)

    def _decode(self, line: bytes) -> Report:
        try:
            report = decode_report(line)
            self._check_places(report)
            if isinstance(report, RuleRemoved):
                self.removing.discard(report.rule_id)
        except ControlError as error:
            reason = f"it sent a wrong line: {error}"
            raise LaunchError(f"peer {self.peer}", reason, self.last_lines()) from None
        return report

    def _check_places(self, report: Report) -> None:
        """Raise ControlError for a barrier or a stop that the spec of this peer does not have."""
        match report:
            case AtBarrier(round_index, phase):
                known = (round_index, phase) in self.spec.barriers
            case TransferHeld(stop):
                known = stop in self.spec.stops
            case _:
                known = True
        if not known:
            raise ControlError(f"{report}: expected one of those in its spec")

    def fate(self) -> str:
        """Return the peer's final state."""
        if self.refusal:
            return f"lost: {self.refusal.what}: {self.refusal.reason}"
        if self.result:
            return self.result.state
        if self.lost_host:
            return f"{records.LOST_WITH_HOST}{self.lost_host}"
        return "killed by the launcher" if self.exit_code is None else f"died with {self.exit_code}"

    def abort_reason(self) -> ResourceLost | None:
        """Return the refusal by the system for which a library aborted the process, as it printed.

        ZeroMQ's threads abort when a descriptor or a thread is refused, C++ when memory is.
        """
        if self.exit_code != -signal.SIGABRT:
            return None
        found = refusal_in("\n".join(self.last_lines(_ABORT_LINES)))
        return ResourceLost(found.what, found.reason, found.to_do) if found else None

    def last_lines(self, most: int = _LAST_LINES) -> list[str]:
        """Return the last lines that it printed."""
        try:
            return self.spec.log_path.read_text(errors="replace").splitlines()[-most:]
        except OSError:
            return []
