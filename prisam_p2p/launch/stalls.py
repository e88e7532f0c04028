"""What the launcher does about peers that stand still: it tells of them, and ends them in the end.

Which peers these are is decided in watchdog.py.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from prisam_p2p.faults.firings import Firings
from prisam_p2p.launch.peer_process import PeerProcess
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.processes.engine import Trouble
from prisam_p2p.processes.helper_process import NetworkWatch
from prisam_p2p.processes.watchdog import Stall, Watchdog

DYING_S = 3.0
"""A process that is given up gets SIGABRT: its log then says where it was. After this, SIGKILL."""

_SHOWN = 2
"""So many stalls are shown in words, and of others their number."""


class Stalls:
    """The peers of a run that stand still.

    Args:
        firings: of the faults; a peer that one has stopped is not stalled.
        timeout_s: a peer is ended after it has stood still for this long.
        network: watches the processes that the peers' network needs.
    """

    def __init__(
        self,
        processes: PeerProcesses,
        journal: Journal,
        firings: Firings,
        timeout_s: float,
        network: NetworkWatch,
    ) -> None:
        self._processes, self._journal, self._network = processes, journal, network
        self._watchdog = Watchdog(timeout_s, firings.suspends, firings.throttles)
        self._troubles: dict[str, Trouble] = {}
        self._dying: list[tuple[PeerProcess, float]] = []

    def look(self, now_s: float) -> None:
        """Take in the samples that have come; journal what they say, and end who is to be ended.

        Raises:
            LaunchError: what starts processes, or what the network needs, has ended, or stood still
                for too long.
        """
        seen = self._processes.samples()
        self._note_troubles([self._processes.trouble(), self._network.look()])
        if seen is not None:
            found = self._watchdog.look(seen, now_s)
            for stall in found.noticed:
                self._journal.write(_record(stall))
            for stall in found.over:
                self._journal.write(records.MovedOn(stall.peer, round(stall.since_s, 3)))
            if ended := {s.peer: s for s in found.to_end if not self._is_given_up(s.peer)}:
                longest_s = max(stall.since_s for stall in ended.values())
                words = {peer: stall.words for peer, stall in ended.items()}
                self.give_up(words, longest_s, now_s)
        for process, since_s in self._dying:
            if process.exit_code is None and now_s - since_s >= DYING_S:
                self._signal(process.peer, signal.SIGKILL)
        self._dying = [each for each in self._dying if each[0].exit_code is None]

    def give_up(self, reasons: Mapping[str, str], silent_s: float, now_s: float) -> None:
        """End peers; their logs then say where they were.

        Args:
            reasons: peer -> why, in words.
            silent_s: for how long they were waited for.
        """
        self._journal.write(records.GivenUp([*reasons], round(silent_s, 3), dict(reasons)))
        for peer, reason in reasons.items():
            if process := self._processes.get(peer):
                process.given_up = reason
                self._dying.append((process, now_s))
                self._signal(peer, signal.SIGABRT)

    def stands_still(self, peer: str) -> bool:
        """Tell whether a peer stands still."""
        return any(stall.peer == peer for stall in self._there())

    def words(self, peer: str) -> str:
        """Return in words why a peer stands still, "" if it does not."""
        return next((stall.words for stall in self._there() if stall.peer == peer), "")

    @property
    def waiting(self) -> str:
        """The peers that stand still, and why, for the progress line; "" = none does."""
        texts = [_words(trouble) for trouble in self._troubles.values()]
        texts += [f"{stall.peer}: {stall.words}" for stall in self._there()]
        more = [f"{len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
        return f"waiting for {'; '.join([*texts[:_SHOWN], *more])}" if texts else ""

    def _there(self) -> list[Stall]:
        """Return the stalls of processes that have not ended since they were sampled."""
        return [s for s in self._watchdog.stalls if self._processes.number(s.peer) == s.number]

    def _note_troubles(self, found: Sequence[Trouble | None]) -> None:
        """Journal which processes besides the peers stand still, or get on again."""
        before, self._troubles = self._troubles, {each.name: each for each in found if each}
        for name in self._troubles.keys() - before.keys():
            new = self._troubles[name]
            self._journal.write(records.Stalled(name, new.reason, "", -1, round(new.since_s, 3)))
        for name in before.keys() - self._troubles.keys():
            self._journal.write(records.MovedOn(name, round(before[name].since_s, 3)))

    def _is_given_up(self, peer: str) -> bool:
        process = self._processes.get(peer)
        return process is not None and bool(process.given_up)

    def _signal(self, peer: str, number: int) -> None:
        self._processes.signal(peer, number)
        self._processes.signal(peer, signal.SIGCONT)  # a stopped process would not notice


def _record(stall: Stall) -> records.Stalled:
    return records.Stalled(
        stall.peer, stall.reason, stall.activity.words, stall.round_index, round(stall.since_s, 3)
    )


def _words(trouble: Trouble) -> str:
    return f"the {trouble.name}: {trouble.reason} for {trouble.since_s:.0f} s"
