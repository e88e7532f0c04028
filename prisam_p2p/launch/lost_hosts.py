"""What the launcher does about a lost host: it fences its peers off, and starts them elsewhere.

docs/decisions/0042-leases-and-fencing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prisam_p2p.control.messages import Fence, Fenced
from prisam_p2p.control.spec import Source
from prisam_p2p.errors import LaunchError
from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.hosts.clock_notes import ClockNotes
from prisam_p2p.launch.fences import HostFence
from prisam_p2p.launch.peer_process import PeerProcess
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.progress import ShownHosts
from prisam_p2p.measure import records
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.placement import place_elsewhere
from prisam_p2p.processes.engine import HostGone, HostLoss
from prisam_p2p.settings import OnHostLoss


class HostedEngine(Protocol):
    """What an engine with several hosts does besides (`Engine`).

    Attributes:
        clocks: host -> what is known of its clock, as its agent said last.
    """

    clocks: Mapping[str, ClockOffset]

    def losses(self) -> list[HostLoss]:
        """Return the hosts that were lost since the last call; never waits."""

    def end_host(self, host: str) -> None:
        """Have a host go down: its agent and its peers end at once, and say nothing."""

    def move(self, peer: str, host: str, gpus: tuple[int, ...]) -> tuple[str, str | None]:
        """Have the next processes of a peer start on another host, from the state collected here.

        Return its address there, and the public key of the pair that was made there, None where
        connections are plain.

        Args:
            gpus: numbers of those that it may see.

        Raises:
            HostGone: the host is lost, too.
        """

    def go_on_without(self, peers: Iterable[str]) -> None:
        """Keep states of other peers for none of these, which are gone for good."""


@dataclass
class _Lost:
    """A host that is lost, until nothing is left to do about it.

    Attributes:
        waiting: its peers that are to start elsewhere.
    """

    loss: HostLoss
    fence: HostFence
    waiting: list[str]


class LostHosts:
    """The hosts of a run while it goes on: which are lost, what becomes of their peers, the clocks.

    Args:
        note: takes records for the launcher's journal.
        on_restart: told each peer that starts again on another host.
    """

    def __init__(
        self,
        engine: HostedEngine,
        plan: HostsPlan,
        processes: PeerProcesses,
        note: Callable[[records.Record], None],
        on_restart: Callable[[str], None],
    ) -> None:
        self._engine, self._plan, self._processes = engine, plan, processes
        self._note, self._on_restart = note, on_restart
        self._neighbors = {spec.peer_id: spec.neighbors for spec in processes.specs}
        self._clock_notes = ClockNotes()
        self._placement = dict(plan.placement)
        self._reasons: dict[str, str] = {}
        self._open: list[_Lost] = []
        self._least: dict[str, int] = {}
        self._failed: list[tuple[str, Source, int]] = []
        processes.hosts = self

    def look(self, now_s: float, may_restart: bool) -> list[str]:
        """Take losses in, and do what is due; return the peers that were lost since the last look.

        Args:
            may_restart: the run is in its rounds.

        Raises:
            LaunchError: no host is left.
        """
        for record in self._clock_notes.due(self._engine.clocks, now_s):
            self._note(record)
        lost = [
            peer for loss in self._engine.losses() for peer in self._lose(loss, now_s, may_restart)
        ]
        if self._reasons.keys() >= self._plan.hosts.keys():
            why = "; ".join(f"{host}: {reason}" for host, reason in sorted(self._reasons.items()))
            raise LaunchError("the hosts", f"all {len(self._reasons)} are lost: {why}")
        for each in self._open:
            if each.fence.look(self._processes.is_down, now_s):
                self._note(_fenced(each, now_s))
            if may_restart and each.fence.stands and now_s >= each.loss.free_s:
                each.waiting = self._start_elsewhere(each.waiting)
        self._open = [each for each in self._open if each.waiting or not each.fence.stands]
        if may_restart:
            failed, self._failed = self._failed, []
            for start in failed:
                self._processes.start_again(*start)
        return lost

    def end(self, now_s: float) -> None:
        """Journal what is known at the end of the run of the clocks of hosts that are left."""
        clocks = {h: each for h, each in self._engine.clocks.items() if h not in self._reasons}
        for record in self._clock_notes.last(clocks, now_s):
            self._note(record)

    def on_fenced(self, neighbor: str, report: Fenced) -> None:
        """A neighbor of a lost peer has fenced it off."""
        for each in self._open:
            each.fence.answered_by(neighbor, report.peer, report.least_incarnation)

    def on_up(self, process: PeerProcess) -> None:
        """Tell a process that has just come up of the fences, before it knows any neighbor."""
        for peer in process.spec.neighbors:
            if peer in self._least:
                process.send(Fence(peer, self._least[peer]))

    def expects_back(self, peer: str) -> bool:
        """Tell whether a peer whose host was lost will start again elsewhere."""
        failed = any(peer == start[0] for start in self._failed)
        return failed or any(peer in each.waiting for each in self._open)

    def go_on_without(self, peers: Iterable[str]) -> None:
        """Have a resumed run not begin where one of these peers was lost, which come back no more.

        Peers of an earlier call count again.
        """
        self._engine.go_on_without(peers)

    def why_lost(self, host: str) -> str:
        """Return in words why a host is lost."""
        return self._reasons[host]

    @property
    def any_lost(self) -> bool:
        """Whether a host was lost so far."""
        return bool(self._reasons)

    @property
    def known(self) -> ShownHosts:
        """The hosts as the progress shows them."""
        return ShownHosts(len(self._plan.hosts), tuple(self._reasons))

    @property
    def waiting(self) -> str:
        """Return in words what is waited for, "" = nothing."""
        told = "; ".join(
            f"{each.loss.host} to be surely gone, to start {_some(each.waiting)} elsewhere"
            for each in self._open
            if each.waiting
        )
        return f"waiting for {told}" if told else ""

    # ------------------------------------------------------------------------------------

    def _lose(self, loss: HostLoss, now_s: float, may_restart: bool) -> list[str]:
        host = loss.host
        self._reasons[host] = loss.reason
        peers, node = self._processes.lose_host(host), self._plan.hosts[host].node
        silent_s = round(loss.silent_s, 3)
        self._note(records.HostLost(host, node, loss.reason, silent_s, peers))
        restarts = may_restart and self._plan.on_host_loss is OnHostLoss.RESTART
        fence = self._fence_off(peers, now_s)
        self._open.append(_Lost(loss, fence, peers if restarts else []))
        return peers

    def _fence_off(self, peers: Iterable[str], now_s: float) -> HostFence:
        """Tell the neighbors of lost peers to hear nothing more of them."""
        least, told = {}, {}
        for peer in peers:
            process = self._processes.get(peer)
            assert process is not None  # it was lost
            least[peer] = process.incarnation.number + 1
            told[peer] = [n for n in self._neighbors[peer] if self._processes.is_up(n)]
            for neighbor in told[peer]:
                self._processes.order(neighbor, Fence(peer, least[peer]))
        self._least |= least
        return HostFence(least, told, now_s)

    def _start_elsewhere(self, peers: list[str]) -> list[str]:
        """Start peers on other hosts that have room; return those that are to be tried again."""
        again = []
        for peer in peers:
            try:
                if self._move(peer):
                    self._processes.start_elsewhere(peer)
                    self._on_restart(peer)
            except HostGone:
                again.append(peer)
        return again

    # -- Whereabouts ---------------------------------------------------------------------

    def start_later(self, peer: str, source: Source, first_round: int) -> None:
        """See Whereabouts."""
        self._failed.append((peer, source, first_round))

    def end_host(self, peer: str) -> None:
        """See Whereabouts."""
        self._engine.end_host(self._placement[peer])

    def has_host(self, peer: str) -> bool:
        """See Whereabouts."""
        if self._placement[peer] not in self._reasons:
            return True
        try:
            return self._plan.on_host_loss is OnHostLoss.RESTART and self._move(peer)
        except HostGone:
            return False

    def _move(self, peer: str) -> bool:
        """Have a peer live on another host from now on; False where none has room for it."""
        plan, left = self._plan, self._plan.hosts.keys() - self._reasons.keys()
        placed = place_elsewhere(
            [peer],
            {p: host for p, host in self._placement.items() if host in left},
            plan.needs,
            [offer for name, offer in plan.hosts.items() if name in left],
            plan.pins,
            plan.base_mib,
        )
        if peer not in placed.hosts:
            self._note(records.NoRoom(peer, sorted(left)))
            return False
        host = placed.hosts[peer]
        address, key = self._engine.move(peer, host, placed.gpus.get(peer, ()))
        self._processes.move(peer, address, key)
        self._placement[peer] = host
        return True


def _fenced(lost: _Lost, now_s: float) -> records.HostFenced:
    fence = lost.fence
    return records.HostFenced(
        lost.loss.host,
        fence.least,
        fence.answered,
        fence.unanswered,
        round(now_s - fence.since_s, 3),
    )


def _some(peers: list[str]) -> str:
    more = f" and {len(peers) - 3} more" if len(peers) > 3 else ""
    return ", ".join(peers[:3]) + more
