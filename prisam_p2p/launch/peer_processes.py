"""The processes of a run: started, started again, ordered, signalled, heard, and seen to end."""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from prisam_p2p.control.activity import places_of
from prisam_p2p.control.messages import Order, Report, ResourceLost, Roster, RosterUpdate
from prisam_p2p.control.spec import AttackSpec, Incarnation, PeerSpec, Source
from prisam_p2p.launch.peer_process import PeerProcess
from prisam_p2p.launch.whereabouts import OneHost, Whereabouts
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.processes.engine import Engine, HostGone, Trouble
from prisam_p2p.processes.process_acts import ProcessActs
from prisam_p2p.processes.watchdog import Seen

_PSS_OF = 4
"""The kernel walks all pages of a process to tell its PSS: a few processes stand for all."""


class PeerProcesses:
    """The latest process of each peer. A peer that joins later has none until then.

    What a fault can do to a peer is done here (`PeerControl`).

    Args:
        first: peer -> its first process.

    Attributes:
        hosts: that the peers live on.
        on_listening: told the address and port of each ROUTER.
        fallen: the processes that have ended, or were refused what they need, in that order. So
            whoever waits for all need not look at each.
    """

    def __init__(
        self,
        engine: Engine,
        specs: Sequence[PeerSpec],
        first: Mapping[str, Incarnation],
        journal: Journal,
    ) -> None:
        self._engine, self._journal = engine, journal
        self._specs = {spec.peer_id: spec for spec in specs}
        self._at_place = {spec.index: spec.peer_id for spec in specs}
        self._first, self._attacks = first, {peer: each.attack for peer, each in first.items()}
        self._latest: dict[str, PeerProcess] = {}
        self._running: dict[int, PeerProcess] = {}  # by number: those that have not ended
        self._owed: set[int] = set()
        self.fallen: list[PeerProcess] = []
        self._roster_version = 0
        self.hosts: Whereabouts = OneHost()
        self.on_listening: Callable[[str, int], object] = lambda _address, _port: None
        self._selector = selectors.DefaultSelector()
        engine.watch(self._selector)

    def __iter__(self) -> Iterator[PeerProcess]:
        return iter(self._latest.values())

    @property
    def specs(self) -> list[PeerSpec]:
        """All peers of the run."""
        return list(self._specs.values())

    @property
    def here(self) -> list[str]:
        """The peers that have, or had, a process."""
        return list(self._latest)

    @property
    def running(self) -> list[str]:
        """The peers whose process has not ended."""
        return [process.peer for process in self._running.values()]

    @property
    def n_running(self) -> int:
        """The number of peers whose process has not ended."""
        return len(self._running)

    def get(self, peer: str) -> PeerProcess | None:
        """Return a peer's latest process, None where it never had one."""
        return self._latest.get(peer)

    def start(self, peer: str) -> None:
        """Start the first process of a peer."""
        self._start(peer, self._first[peer])

    def hear(self, timeout_s: float) -> Iterator[tuple[PeerProcess, Report]]:
        """Yield what processes report; wait for something at most `timeout_s`.

        Orders that a stopped process did not take before are sent, too, and what faults have begun
        goes on.

        Raises:
            LaunchError: a process sent a line that is no report. Launcher and peers are the same
                release, so nothing that such a run measures can be trusted.
        """
        self.acts.look(time.monotonic())
        self._send_owed()
        for key, _ in self._selector.select(timeout_s):
            process = key.data
            if process is None or process.lines.line.fileno() < 0:
                continue  # a process ended (`exits`), or another has just taken its place
            reports = process.receive()
            if reports is None:
                self._selector.unregister(key.fileobj)
            for report in reports or ():
                yield process, report

    def exits(self) -> Iterator[tuple[str, int]]:
        """Yield the peers whose processes ended since the last call, and their exit codes."""
        for gone in self._engine.exits():
            process = self._running.pop(gone.number, None)
            if process is None:
                continue  # its start was interrupted, or its host is lost: it had ended for us
            process.exit_code = gone.code
            self.fallen.append(process)
            self._journal.write(records.PeerEnded(process.peer, process.started.pid, gone.code))
            yield process.peer, gone.code

    def lose_host(self, host: str) -> list[str]:
        """Count the processes on a host that is lost as ended; return their peers.

        Nothing that they say is heard any more.
        """
        lost = [p for p in self if p.started.host == host and p.exit_code is None]
        for process in lost:
            process.lost_host, process.exit_code = host, -signal.SIGKILL
            del self._running[process.number]
            self.fallen.append(process)
            self._forget(process)
        return [process.peer for process in lost]

    def samples(self) -> dict[str, Seen] | None:
        """Return peer -> a new sample of its process, None where it is not time yet; never waits.

        Raises:
            LaunchError: what starts processes has ended, or stood still for too long.
        """
        samples = self._engine.samples()
        if samples is None:
            return None
        return {
            self._running[each.number].peer: Seen(each, self._names(each.slot.waits_for))
            for each in samples
            if each.number in self._running
        }

    def trouble(self) -> Trouble | None:
        """Return what stands still of that which starts processes, if anything does."""
        return self._engine.trouble()

    def while_starting(self, look: Callable[[], object]) -> None:
        """Call `look` several times a second while a start waits; it may raise."""
        self._engine.on_wait = look

    def note_refusal(self, process: PeerProcess, lost: ResourceLost) -> None:
        """Note and journal what the system refused a process, so that it ends."""
        process.refusal = lost
        self.fallen.append(process)
        self._journal.write(records.PeerRefused(process.peer, lost.what, lost.reason))

    def note_abort(self, peer: str) -> None:
        """Look for a refusal in the log of a process that a library has aborted."""
        process = self._latest[peer]
        if not (process.refusal or process.given_up) and (lost := process.abort_reason()):
            self.note_refusal(process, lost)

    def order_all(self, order: Order) -> None:
        """Send an order to all processes."""
        for process in self:
            process.send(order)

    def terminate_all(self) -> None:
        """Tell all processes to end, also those that a fault has stopped: they would not notice."""
        for process in self:
            self.acts.end_throttle(process.number)
            self.signal(process.peer, signal.SIGTERM)
            self.signal(process.peer, signal.SIGCONT)

    def kill_all(self) -> None:
        """Kill all processes."""
        for process in self:
            self.signal(process.peer, signal.SIGKILL)

    def start_cost(self, began_s: float) -> records.AllReady:
        """Measure what starting the processes took since `began_s` of the monotonic clock.

        CPU and memory are those of processes on this host, None where some are on others.
        """
        wall_s = round(time.monotonic() - began_s, 3)
        started = [each.started for each in self]
        if any(each.host for each in started):
            return records.AllReady(wall_s, None, None)
        try:
            processes = [psutil.Process(each.pid) for each in started]
            cpu_s = sum(sum(process.cpu_times()[:2]) for process in processes)
            pss = [getattr(p.memory_full_info(), "pss", None) for p in processes[:_PSS_OF]]
        except psutil.NoSuchProcess:  # one has ended just now: `exits` will tell
            return records.AllReady(wall_s, None, None)
        pss_mib = sum(x for x in pss if x) / len(pss) / 2**20 if all(pss) else None
        return records.AllReady(
            wall_s=wall_s,
            cpu_s_per_peer=round(cpu_s / len(processes), 4),
            pss_mib_per_peer=round(pss_mib, 2) if pss_mib else None,
        )

    def close(self) -> None:
        """Kill the processes that are left."""
        self._engine.close()
        for process in self:
            process.lines.line.close()
        self._selector.close()

    # -- roster --------------------------------------------------------------------------

    def note_port(self, process: PeerProcess, port: int) -> None:
        """Note where a process listens; every roster from now on has a higher version."""
        process.note_port(port)
        self._roster_version += 1
        self.on_listening(process.spec.address, port)

    def send_roster(self, process: PeerProcess, leave_out: Collection[str]) -> None:
        """Tell a process where its neighbors can be reached, except those in `leave_out`."""
        there = [n for n in process.spec.neighbors if n in self._latest and n not in leave_out]
        entries = (self._latest[neighbor].roster_entry for neighbor in there)
        process.send(Roster(self._roster_version, tuple(e for e in entries if e)))

    def send_update(self, process: PeerProcess) -> None:
        """Tell the neighbors that are up where a process can be reached."""
        entry = process.roster_entry
        for neighbor in process.spec.neighbors if entry else ():
            if entry and (other := self._latest.get(neighbor)) and other.port:
                self.order(neighbor, RosterUpdate(self._roster_version, entry))

    # -- PeerControl ---------------------------------------------------------------------

    def signal(self, peer: str, signum: int) -> None:
        """See PeerControl."""
        if not self.is_down(peer):
            self._engine.signal(self._latest[peer].number, signum)

    def start_again(self, peer: str, source: Source, first_round: int) -> None:
        """See PeerControl."""
        gone = self._latest.get(peer)
        if (gone and gone.lost_host) or not self.hosts.has_host(peer):
            return  # it starts elsewhere in its time, or never
        try:
            self._start_next(peer, source, first_round)
        except HostGone:
            self.hosts.start_later(peer, source, first_round)

    def move(self, peer: str, address: str, public_key: str | None) -> None:
        """Note where later processes of a peer listen, at any port, and their key."""
        spec = self._specs[peer]
        keys = spec.keys
        if keys and public_key:
            keys = keys.model_copy(update={"public": public_key})
        self._specs[peer] = spec.model_copy(update={"address": address, "keys": keys})

    def start_elsewhere(self, peer: str) -> None:
        """Start the next process of a peer whose host was lost, where it was moved to.

        It goes on from the state that was collected last.

        Raises:
            HostGone: that host is lost, too.
        """
        self._start_next(peer, "state", 0)

    def end_host(self, peer: str) -> None:
        """See PeerControl."""
        self.hosts.end_host(peer)

    def lost_host(self, peer: str) -> str:
        """See PeerControl."""
        return self._latest[peer].lost_host if peer in self._latest else ""

    def set_attack(self, peer: str, attack: AttackSpec | None) -> None:
        """See PeerControl."""
        self._attacks[peer] = attack

    def order(self, peer: str, order: Order) -> None:
        """See PeerControl."""
        if not self.is_down(peer):
            self._latest[peer].send(order)

    def is_stopped(self, peer: str) -> bool:
        """See PeerControl."""
        return not self.is_down(peer) and self.acts.is_stopped(self._latest[peer].number)

    def is_removing_rules(self, peer: str) -> bool:
        """See PeerControl."""
        return not self.is_down(peer) and bool(self._latest[peer].removing)

    def is_down(self, peer: str) -> bool:
        """See PeerControl."""
        return peer not in self._latest or self._latest[peer].exit_code is not None

    def is_up(self, peer: str) -> bool:
        """Tell whether a peer's process has said where it listens, and has not ended."""
        return not self.is_down(peer) and self._latest[peer].port is not None

    @property
    def acts(self) -> ProcessActs:
        """See PeerControl."""
        return self._engine.acts

    def number(self, peer: str) -> int | None:
        """See PeerControl."""
        return None if self.is_down(peer) else self._latest[peer].number

    def state_path(self, peer: str) -> Path:
        """See PeerControl."""
        return self._specs[peer].state_path

    def is_past(self, peer: str, round_index: int) -> bool:
        """See PeerControl."""
        process = self._latest.get(peer)
        return process is not None and (process.done or process.rounds_done > round_index)

    # ------------------------------------------------------------------------------------

    def _start_next(self, peer: str, source: Source, first_round: int) -> None:
        number, port = self._first[peer].number, 0
        if gone := self._latest.get(peer):
            self._forget(gone)
            self._running.pop(gone.number, None)
            gone.lines.line.close()
            number = gone.incarnation.number + 1
            if self._specs[peer].address == gone.spec.address:  # neighbors know it there
                port = gone.port or gone.incarnation.port
        later = Incarnation(
            number=number,
            port=port,
            late=True,
            source=source,
            first_round=first_round,
            attack=self._attacks[peer],
        )
        self._start(peer, later)

    def _send_owed(self) -> None:
        """Send the orders that processes did not take before, and take now."""
        for number in [*self._owed]:
            process = self._running.get(number)
            if process:
                process.lines.flush()
            if process is None or not process.lines.has_unsent:
                self._owed.discard(number)

    def _forget(self, process: PeerProcess) -> None:
        """Hear a process no more."""
        with suppress(KeyError, ValueError):  # its end was noticed
            self._selector.unregister(process.lines.line)

    def _start(self, peer: str, incarnation: Incarnation) -> None:
        spec = self._specs[peer]
        started = self._engine.start(spec, incarnation)
        process = PeerProcess(spec, incarnation, started, owed=self._owed)
        process.before = self._latest.get(peer)
        self._latest[peer] = self._running[started.number] = process
        self._selector.register(started.line.line, selectors.EVENT_READ, process)
        number, host = incarnation.number, started.host
        self._journal.write(records.PeerStarted(peer, started.pid, number, host))

    def _names(self, waits_for: bytes) -> tuple[str, ...]:
        places = places_of(waits_for)
        return tuple(self._at_place[place] for place in places if place in self._at_place)
