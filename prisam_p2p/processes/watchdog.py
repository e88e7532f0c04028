"""Decides which peers are stalled: they get on with nothing, and wait for nobody. Pure.

Whoever forked the peers samples them (sampling.py). A peer *gets on* if its slot on the board shows
progress, if its main thread used the processor while it computes, or if it is about to run: it then
waits for a core. A peer whose wait has not reached its deadline is never stalled: the one that it
waits for may be. docs/decisions/0027-watchdog.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prisam_p2p.control.activity import Activity
from prisam_p2p.processes.sampling import Sample
from prisam_p2p.processes.watched_time import MOST_STEP_S

NOTICE_S = 1.5
"""A peer is shown and journalled after it has stood still for this long: for two samples, or one
where they are rare (sampling.py). Less would report every process that the disk holds up for a
moment."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A sample of a peer, told in the names of a run.

    Attributes:
        waits_for: the peers that it waits for.
    """

    sample: Sample
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stall:
    """A peer that stands still.

    Attributes:
        number: of its process (engine.py).
        reason: why, as in "p07: stopped".
        activity, round_index: what it was doing, in which round; -1 = before the first.
        since_s: for how long it has been standing still.
    """

    peer: str
    number: int
    reason: str
    activity: Activity
    round_index: int
    since_s: float

    @property
    def words(self) -> str:
        """What is shown of it: "stopped for 12 s while training in round 3"."""
        where = f" in round {self.round_index}" if self.round_index >= 0 else ""
        return f"{self.reason} for {self.since_s:.0f} s while {self.activity.words}{where}"


@dataclass(frozen=True)
class Findings:
    """What a look at all peers has found.

    Attributes:
        noticed: stalls that were not known before.
        over: earlier stalls of peers that get on again.
        to_end: stalls that have lasted too long.
    """

    noticed: list[Stall] = field(default_factory=list)
    over: list[Stall] = field(default_factory=list)
    to_end: list[Stall] = field(default_factory=list)


@dataclass
class _Watched:
    """What is known of a process.

    Attributes:
        reason: why it stands still; "" = it does not.
        overdue: it stands still because a wait has not ended by its deadline.
        still_s: for how long it has been standing still.
        held: it would stand still, but the fault plan has stopped it.
    """

    number: int
    progress: int
    cpu_s: float | None = None
    reason: str = ""
    overdue: bool = False
    still_s: float = 0.0
    held: bool = False


class Watchdog:
    """Follows what the peers' processes are seen to do.

    Args:
        timeout_s: a peer is to be ended after it has stood still for this long.
        is_held: tells whether the fault plan has stopped a peer.
        is_slowed: tells whether the fault plan stops a peer many times a second.
    """

    def __init__(
        self,
        timeout_s: float,
        is_held: Callable[[str], bool] = lambda _peer: False,
        is_slowed: Callable[[str], bool] = lambda _peer: False,
    ) -> None:
        self._timeout_s, self._notice_s = timeout_s, min(NOTICE_S, timeout_s)
        self._is_held, self._is_slowed = is_held, is_slowed
        self._last_s: float | None = None
        self._watched: dict[str, _Watched] = {}
        self._stalls: dict[str, Stall] = {}

    @property
    def stalls(self) -> list[Stall]:
        """The peers that stand still, the longest first."""
        return sorted(self._stalls.values(), key=lambda stall: (-stall.since_s, stall.peer))

    def look(self, seen: Mapping[str, Seen], now_s: float) -> Findings:
        """Take samples in, and tell what has changed.

        Args:
            seen: peer -> the sample of its process; peers without a process are absent.
        """
        step_s = 0.0 if self._last_s is None else min(now_s - self._last_s, MOST_STEP_S)
        self._last_s = now_s
        self._watched = {p: self._follow(p, each.sample, step_s) for p, each in seen.items()}
        before, self._stalls = self._stalls, {}
        for peer, one in self._watched.items():
            if one.reason and one.still_s >= self._notice_s and not self._is_excused(peer, seen):
                self._stalls[peer] = _stall(peer, one, seen[peer].sample)
        return Findings(
            noticed=[stall for peer, stall in self._stalls.items() if peer not in before],
            over=[stall for stall in before.values() if self._gets_on(stall)],
            to_end=[stall for stall in self._stalls.values() if stall.since_s >= self._timeout_s],
        )

    def _follow(self, peer: str, sample: Sample, step_s: float) -> _Watched:
        """Return what is known of a process now, given what was known of it."""
        now = _Watched(sample.number, sample.slot.progress)
        if sample.state:
            now.cpu_s = sample.state.main_cpu_s
        before = self._watched.get(peer)
        if before is None or (before.number, before.progress) != (now.number, now.progress):
            return now
        now.reason, now.overdue = self._why_still(peer, sample, before.cpu_s)
        if now.reason and self._is_held(peer):
            now.reason, now.held = "", True
        if now.reason and before.reason:
            now.still_s = before.still_s + step_s
        return now

    def _why_still(self, peer: str, sample: Sample, cpu_before_s: float | None) -> tuple[str, bool]:
        """Return why a process stands still ("" = it does not), and whether it is overdue."""
        if sample.state is None or sample.state.letter in "RZX":
            return "", False
        if sample.state.letter == "T" and not self._is_slowed(peer):
            return "stopped", False
        if sample.state.letter == "t":
            return "stopped by a debugger", False
        if sample.left_s is not None:
            return ("beyond the deadline of its wait", True) if sample.left_s < 0 else ("", False)
        if cpu_before_s is None or sample.state.main_cpu_s > cpu_before_s:
            return "", False
        if sample.state.letter == "D":
            return "held up by the disk", False
        return "without processor time", False

    def _is_excused(self, peer: str, seen: Mapping[str, Seen]) -> bool:
        """Tell whether a wait is overdue because of another peer that is to be blamed first."""
        if not self._watched[peer].overdue:
            return False
        reached: set[str] = set()
        ahead = [*seen[peer].waits_for]
        while ahead:
            other = ahead.pop()
            if other != peer and other in seen and other not in reached:
                reached.add(other)
                ahead += seen[other].waits_for
        return any(self._comes_before(other, peer) for other in reached)

    def _comes_before(self, other: str, peer: str) -> bool:
        """Tell whether `other` is to be blamed before `peer`, whose wait is overdue.

        Of overdue waits for each other, the longest is to blame: so a cycle is broken.
        """
        it, me = self._watched[other], self._watched[peer]
        longer = (it.still_s, other) > (me.still_s, peer)
        return it.held or bool(it.reason and (longer or not it.overdue))

    def _gets_on(self, stall: Stall) -> bool:
        """Tell whether the process of an earlier stall is there, and stands still no more."""
        one = self._watched.get(stall.peer)
        return one is not None and one.number == stall.number and stall.peer not in self._stalls


def _stall(peer: str, one: _Watched, sample: Sample) -> Stall:
    slot = sample.slot
    return Stall(peer, one.number, one.reason, slot.activity, slot.round_index, one.still_s)
