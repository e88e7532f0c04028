"""Records each neighbor's masks by round: which are accepted, and which are still awaited.

Pure: masks in, verdicts out. No socket and no clock: deadlines are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.participation import EVERYBODY, Participation

MAX_EARLY = 4
"""Masks of later rounds that are kept for each neighbor; further ones are rejected."""


class Verdict(StrEnum):
    """How a book judges a mask, or a digest of masks that are relayed (relay_book.py).

    All but ACCEPTED and EARLY are rejected and counted.
    """

    ACCEPTED = "accepted"
    EARLY = "early"
    STALE = "stale"
    DUPLICATE = "duplicate"
    STRANGER = "stranger"
    MISMATCHED = "mismatched"
    TOO_EARLY = "too-early"
    FORGED = "forged"
    SPOOFED = "spoofed"
    UNEXPECTED = "unexpected"
    UNINTRODUCED = "unintroduced"
    SITS_OUT = "sits-out"


def reached_by_half(latest: Mapping[str, int], participation: Participation = EVERYBODY) -> int:
    """Return the latest round that at least half of the neighbors have reached; 0 without any.

    Args:
        latest: neighbor -> its latest round. A single false one changes little.
        participation: of the neighbors, those that take part in a round tell whether it is reached.
    """
    for t in sorted(set(latest.values()), reverse=True):
        there = [latest[neighbor] >= t for neighbor in participation.among(latest, t)]
        if 2 * sum(there) >= len(there) > 0:
            return t
    return 0


class RoundBook:
    """The masks of one peer's neighbors, round by round.

    A neighbor that is missing is an absent key, never an exception.

    Args:
        neighbors: masks of other peers are rejected.
        n_bits: length of every mask of the run.
        participation: who takes part in which round; others' masks are rejected, and not awaited.
    """

    def __init__(
        self, neighbors: Iterable[str], n_bits: int, participation: Participation = EVERYBODY
    ) -> None:
        self._participation = participation
        self._neighbors = frozenset(neighbors)
        self._expected = participation.among(self._neighbors, 0)
        self._n_bits = n_bits
        self._round = 0
        self._masks: dict[int, dict[str, PackedMask]] = {0: {}}
        self._gone: dict[str, str] = {}
        self._finished: set[str] = set()

    @property
    def neighbors(self) -> list[str]:
        """All neighbors, ascending."""
        return sorted(self._neighbors)

    def open(self, round_index: int) -> None:
        """Begin a round: masks that came early for it count, older ones are forgotten.

        Raises:
            ValueError: the round is before the current one.
        """
        if round_index < self._round:
            raise ValueError(f"round {round_index} after {self._round}")
        self._round = round_index
        self._expected = self._participation.among(self._neighbors, round_index)
        self._masks = {t: heard for t, heard in self._masks.items() if t >= round_index}

    def receive(self, sender: str, round_index: int, mask: PackedMask) -> Verdict:
        """Judge a mask, and keep it if it is accepted or early."""
        if sender not in self._neighbors:
            return Verdict.STRANGER
        if mask.n_bits != self._n_bits:
            return Verdict.MISMATCHED
        if round_index < self._round:
            return Verdict.STALE
        if not self._participation.takes_part(sender, round_index):
            return Verdict.SITS_OUT
        if sender in self._masks.get(round_index, {}):
            return Verdict.DUPLICATE
        if len(self._ahead(sender)) >= MAX_EARLY:
            return Verdict.TOO_EARLY
        self._masks.setdefault(round_index, {})[sender] = mask
        return Verdict.ACCEPTED if round_index == self._round else Verdict.EARLY

    def latest(self) -> dict[str, int]:
        """Return neighbor -> the latest round of which its mask is here; others are absent."""
        return {sender: t for t in sorted(self._masks) for sender in self._masks[t]}

    def reached(self) -> int:
        """Return the latest round that half of the neighbors that have not left have reached."""
        latest = self.latest()
        return reached_by_half({n: latest.get(n, 0) for n in self.present()}, self._participation)

    def present(self) -> set[str]:
        """Return the neighbors that have not left."""
        return set(self._neighbors - self._gone.keys())

    def leave(self, neighbor: str, reason: str) -> None:
        """Stop waiting for `neighbor`; the first reason counts."""
        self._gone.setdefault(neighbor, reason)

    def leave_all_but(self, present: Iterable[str], reason: str) -> None:
        """Stop waiting for all neighbors that are not `present`."""
        for neighbor in self._neighbors.difference(present):
            self.leave(neighbor, reason)

    def finish(self, neighbor: str, reason: str) -> None:
        """Stop waiting for `neighbor` for good: it said goodbye, though it may connect again."""
        self._finished.add(neighbor)
        self.leave(neighbor, reason)

    def join(self, neighbor: str) -> None:
        """Wait for `neighbor` again, unless it said goodbye."""
        if neighbor not in self._finished:
            self._gone.pop(neighbor, None)

    def masks(self) -> dict[str, PackedMask]:
        """Return sender -> its mask of this round, ascending."""
        return dict(sorted(self._masks.get(self._round, {}).items()))

    def awaited(self) -> set[str]:
        """Return the neighbors whose mask of this round can still arrive.

        A neighbor whose later mask is here will not send this round's: connections deliver in
        order.
        """
        heard = self._masks.get(self._round, {})
        return {p for p in self._expected - heard.keys() - self._gone.keys() if not self._ahead(p)}

    def missing(self, otherwise: str) -> dict[str, str]:
        """Return neighbor -> why its mask of this round is missing.

        Args:
            otherwise: the reason if it neither left nor is past this round.
        """
        absent = sorted(self._expected - self._masks.get(self._round, {}).keys())
        return {
            p: self._gone.get(p) or ("is past this round" if self._ahead(p) else otherwise)
            for p in absent
        }

    def _ahead(self, sender: str) -> list[int]:
        return [t for t, heard in self._masks.items() if t > self._round and sender in heard]
