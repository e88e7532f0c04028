"""The peers' processes: started and started again, told, signalled, heard, and seen to end."""

from __future__ import annotations

import selectors
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from prisam_p2p.control.spec import AttackSpec, PeerSpec
from prisam_p2p.launch.child import Child
from prisam_p2p.launch.engine import Engine
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.system.json_lines import Lines


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
        child = self._by_peer[spec.peer_id] = Child(spec, pid, Lines(line))
        self._selector.register(line, selectors.EVENT_READ, child)
        self._journal.write(records.PeerStarted(spec.peer_id, pid, spec.incarnation))

    def hear(self, timeout_s: float) -> Iterator[tuple[Child, dict[str, Any]]]:
        """Yield what processes report; wait for something at most so long.

        Orders that a process did not take before, for it was stopped, are sent too.
        """
        for child in self:
            child.lines.flush()
        for key, _ in self._selector.select(timeout_s):
            if key.data is None or key.data.lines.line.fileno() < 0:
                continue  # a process ended (`exits`), or another has just taken its place
            reports = key.data.lines.receive()
            if reports is None:
                self._selector.unregister(key.fileobj)
            for report in reports or ():
                yield key.data, report

    def exits(self) -> Iterator[tuple[str, int]]:
        """Yield the peers whose processes ended since the last call, and with what code."""
        by_pid = {child.pid: peer for peer, child in self._by_peer.items()}
        for gone in self._engine.exits():
            peer = by_pid[gone.pid]
            self._by_peer[peer].exit_code = gone.code
            self._journal.write(records.PeerEnded(peer, gone.pid, gone.code))
            yield peer, gone.code

    def tell_all(self, order: dict[str, Any]) -> None:
        """Send an order to all."""
        for child in self:
            child.lines.send(order)

    def signal_all(self, number: int) -> None:
        """Signal all."""
        for peer in self._by_peer:
            self.signal(peer, number)

    def introduce(self, child: Child, leave_out: Collection[str]) -> None:
        """Tell a process where its neighbors are."""
        names = [n for n in child.spec.neighbors if n in self._by_peer and n not in leave_out]
        roster = {n: self._by_peer[n].endpoint for n in names if self._by_peer[n].endpoint[1]}
        child.lines.send({"order": "roster", "roster": roster})

    def make_known(self, child: Child) -> None:
        """Tell who connected before a peer was there where it is."""
        order = {"peer": child.spec.peer_id, "address": child.spec.address, "port": child.port}
        for neighbor in child.spec.neighbors:
            if (other := self._by_peer.get(neighbor)) and other.port:
                self.order(neighbor, {"order": "meet", **order})

    def close(self) -> None:
        """Kill what is left."""
        self._engine.close()
        for child in self:
            child.lines.line.close()
        self._selector.close()

    # -- Hands ---------------------------------------------------------------------------

    def signal(self, peer: str, number: int) -> None:
        """See Hands."""
        if not self.is_down(peer):
            self._engine.signal(self._by_peer[peer].pid, number)

    def start_again(self, peer: str, source: str, first_round: int) -> None:
        """See Hands."""
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
        """See Hands."""
        child = self._by_peer[peer]
        child.spec = child.spec.model_copy(update={"attack": attack})

    def order(self, peer: str, order: dict[str, Any]) -> None:
        """See Hands."""
        if not self.is_down(peer):
            self._by_peer[peer].lines.send(order)

    def is_stopped(self, peer: str) -> bool:
        """See Hands."""
        return not self.is_down(peer) and self._by_peer[peer].stopped

    def is_down(self, peer: str) -> bool:
        """See Hands."""
        return peer not in self._by_peer or self._by_peer[peer].exit_code is not None

    def pid(self, peer: str) -> int | None:
        """See Hands."""
        return None if self.is_down(peer) else self._by_peer[peer].pid

    def state_path(self, peer: str) -> Path:
        """See Hands."""
        return self._by_peer[peer].spec.state_path

    def is_past(self, peer: str, round_index: int) -> bool:
        """See Hands."""
        child = self._by_peer.get(peer)
        return child is not None and (child.done or child.rounds_done > round_index)
