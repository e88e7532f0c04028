"""The peers' processes: started and started again, told, signalled, heard, and seen to end."""

from __future__ import annotations

import selectors
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from prisam_p2p.control.codec import decode_report
from prisam_p2p.control.messages import Order, Report, Roster, RosterEntry, RosterUpdate
from prisam_p2p.control.spec import AttackSpec, PeerSpec
from prisam_p2p.errors import ControlError, LaunchError
from prisam_p2p.launch.child import Child
from prisam_p2p.launch.engine import Engine
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.system.json_lines import LineSocket


class Children:
    """The latest process of each peer; those of a run's absent peers are not there yet.

    What a fault can do to a peer is done here (`Hands`).

    Args:
        specs: of the peers' first processes.
    """

    def __init__(self, engine: Engine, specs: Sequence[PeerSpec], journal: Journal) -> None:
        self._engine, self._journal = engine, journal
        self._specs = {spec.peer_id: spec for spec in specs}
        self._by_peer: dict[str, Child] = {}
        self._roster_version = 0
        self._selector = selectors.DefaultSelector()
        engine.watch(self._selector)

    def __iter__(self) -> Iterator[Child]:
        return iter(self._by_peer.values())

    def get(self, peer: str) -> Child | None:
        """Return a peer's latest process, None where it never had one."""
        return self._by_peer.get(peer)

    @property
    def here(self) -> list[str]:
        """The peers that have, or had, a process."""
        return list(self._by_peer)

    def start(self, spec: PeerSpec) -> None:
        """Start a process."""
        pid, line = self._engine.start(spec)
        child = self._by_peer[spec.peer_id] = Child(spec, pid, LineSocket(line))
        self._selector.register(line, selectors.EVENT_READ, child)
        self._journal.write(records.PeerStarted(spec.peer_id, pid, spec.incarnation))

    def hear(self, timeout_s: float) -> Iterator[tuple[Child, Report]]:
        """Yield what processes report; wait for something at most so long.

        Orders that a process did not take before, for it was stopped, are sent too.

        Raises:
            LaunchError: a process sent a line that is no report. Launcher and peers are the same
                release, so nothing that such a run measures can be trusted.
        """
        for child in self:
            child.lines.flush()
        for key, _ in self._selector.select(timeout_s):
            if key.data is None or key.data.lines.line.fileno() < 0:
                continue  # a process ended (`exits`), or another has just taken its place
            lines = key.data.lines.receive_lines()
            if lines is None:
                self._selector.unregister(key.fileobj)
            for line in lines or ():
                yield key.data, _report_in(line, key.data)

    def exits(self) -> Iterator[tuple[str, int]]:
        """Yield the peers whose processes ended since the last call, and with what code."""
        by_pid = {child.pid: peer for peer, child in self._by_peer.items()}
        for gone in self._engine.exits():
            peer = by_pid[gone.pid]
            self._by_peer[peer].exit_code = gone.code
            self._journal.write(records.PeerEnded(peer, gone.pid, gone.code))
            yield peer, gone.code

    def tell_all(self, order: Order) -> None:
        """Send an order to all."""
        for child in self:
            child.send(order)

    def signal_all(self, number: int) -> None:
        """Signal all."""
        for peer in self._by_peer:
            self.signal(peer, number)

    def introduce(self, child: Child, leave_out: Collection[str]) -> None:
        """Tell a process where its neighbors are."""
        names = [n for n in child.spec.neighbors if n in self._by_peer and n not in leave_out]
        entries = (_entry_of(self._by_peer[n]) for n in names)
        child.send(Roster(self._roster_version, tuple(each for each in entries if each)))

    def is_up(self, child: Child, port: int) -> None:
        """Note where a process listens."""
        child.port = port
        self._roster_version += 1

    def make_known(self, child: Child) -> None:
        """Send the neighbors that came up before `child` where it can be reached."""
        entry = _entry_of(child)
        for neighbor in child.spec.neighbors if entry else ():
            if entry and (other := self._by_peer.get(neighbor)) and other.port:
                self.order(neighbor, RosterUpdate(self._roster_version, entry))

    def close(self) -> None:
        """Kill what is left."""
        self._engine.close()
        for child in self:
            child.lines.line.close()
        self._selector.close()

    # -- PeerControl ---------------------------------------------------------------------

    def signal(self, peer: str, number: int) -> None:
        """See PeerControl."""
        if not self.is_down(peer):
            self._engine.signal(self._by_peer[peer].pid, number)

    def start_again(self, peer: str, source: str, first_round: int) -> None:
        """See PeerControl."""
        news: dict[str, Any] = {"late": True, "source": source, "first_round": first_round}
        gone = self._by_peer.get(peer)
        if gone is None:
            self.start(self._specs[peer].model_copy(update=news))
            return
        with suppress(KeyError, ValueError):  # its end was noticed
            self._selector.unregister(gone.lines.line)
        gone.lines.line.close()
        news |= {"incarnation": gone.spec.incarnation + 1, "port": gone.endpoint[1]}
        self.start(gone.spec.model_copy(update=news))
        self._by_peer[peer].before = gone

    def set_attack(self, peer: str, attack: AttackSpec | None) -> None:
        """See PeerControl."""
        child = self._by_peer[peer]
        child.spec = child.spec.model_copy(update={"attack": attack})

    def order(self, peer: str, order: Order) -> None:
        """See PeerControl."""
        if not self.is_down(peer):
            self._by_peer[peer].send(order)

    def is_stopped(self, peer: str) -> bool:
        """See PeerControl."""
        return not self.is_down(peer) and self._by_peer[peer].stopped

    def is_down(self, peer: str) -> bool:
        """See PeerControl."""
        return peer not in self._by_peer or self._by_peer[peer].exit_code is not None

    def pid(self, peer: str) -> int | None:
        """See PeerControl."""
        return None if self.is_down(peer) else self._by_peer[peer].pid

    def state_path(self, peer: str) -> Path:
        """See PeerControl."""
        return self._by_peer[peer].spec.state_path

    def is_past(self, peer: str, round_index: int) -> bool:
        """See PeerControl."""
        child = self._by_peer.get(peer)
        return child is not None and (child.done or child.rounds_done > round_index)


def _report_in(line: bytes, child: Child) -> Report:
    try:
        return decode_report(line)
    except ControlError as error:
        name, reason = f"peer {child.spec.peer_id}", f"it sent a wrong line: {error}"
        raise LaunchError(name, reason, child.last_lines()) from None


def _entry_of(child: Child) -> RosterEntry | None:
    """Return where a process listens, or will listen; None where that is not known."""
    address, port = child.endpoint
    keys = child.spec.keys
    if not port:
        return None
    return RosterEntry(
        child.spec.peer_id, address, port, child.spec.incarnation, keys.public if keys else None
    )
