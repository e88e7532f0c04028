"""Who said what, in which round: what is accepted, and who is still waited for.

Pure: messages in, verdicts out. No socket, no clock: deadlines are the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from prisam_p2p.core.bits import PackedMask

MAX_EARLY = 4
"""Masks of coming rounds that are kept for a neighbor that is ahead; further ones are refused."""


class Verdict(StrEnum):
    """What the book makes of a mask. All but ACCEPTED and EARLY are turned away and counted."""

    ACCEPTED = "accepted"
    EARLY = "early"
    STALE = "stale"
    DUPLICATE = "duplicate"
    STRANGER = "stranger"
    MISMATCHED = "mismatched"
    TOO_EARLY = "too-early"


def reached_by_half(latest: Collection[int]) -> int:
    """Return the latest round that half of the neighbors reached; 0 without any.

    Args:
        latest: of each neighbor, its latest round. One alone that lies moves nobody.
    """
    return sorted(latest)[len(latest) // 2] if latest else 0


class RoundBook:
    """The masks of one peer's neighbors, round by round.

    A neighbor that is missing is an absent key, never an exception.

    Args:
        neighbors: whose masks count.
        n_bits: of every similarity mask of the run.
    """

    def __init__(self, neighbors: Iterable[str], n_bits: int) -> None:
        self._neighbors = frozenset(neighbors)
        self._n_bits = n_bits
        self._round = 0
        self._masks: dict[int, dict[str, PackedMask]] = {0: {}}
        self._gone: dict[str, str] = {}
        self._finished: set[str] = set()

    def open(self, round_index: int) -> None:
        """Begin a round; what came early for it counts, what was older is forgotten."""
        if round_index < self._round:
            raise ValueError(f"round {round_index} after {self._round}")
        self._round = round_index
        self._masks = {t: heard for t, heard in self._masks.items() if t >= round_index}

    def receive(self, sender: str, round_index: int, mask: PackedMask) -> Verdict:
        """Enter a mask and say what became of it."""
        if sender not in self._neighbors:
            return Verdict.STRANGER
        if mask.n_bits != self._n_bits:
            return Verdict.MISMATCHED
        if round_index < self._round:
            return Verdict.STALE
        if sender in self._masks.get(round_index, {}):
            return Verdict.DUPLICATE
        if len(self._ahead(sender)) >= MAX_EARLY:
            return Verdict.TOO_EARLY
        self._masks.setdefault(round_index, {})[sender] = mask
        return Verdict.ACCEPTED if round_index == self._round else Verdict.EARLY

    def latest(self) -> dict[str, int]:
        """Return neighbor -> the latest round of which its mask is here, if there is one."""
        return {sender: t for t in sorted(self._masks) for sender in self._masks[t]}

    def present(self) -> set[str]:
        """Return the neighbors that are there."""
        return set(self._neighbors - self._gone.keys())

    def leave(self, neighbor: str, reason: str) -> None:
        """Wait for `neighbor` no more."""
        self._gone.setdefault(neighbor, reason)

    def leave_all_but(self, present: Iterable[str], reason: str) -> None:
        """Wait for no other neighbor than those who are `present`."""
        for neighbor in self._neighbors.difference(present):
            self.leave(neighbor, reason)

    def finish(self, neighbor: str, reason: str) -> None:
        """Wait for `neighbor` no more, though it may connect again: it said goodbye."""
        self._finished.add(neighbor)
        self.leave(neighbor, reason)

    def join(self, neighbor: str) -> None:
        """Wait for `neighbor` again, unless it is done."""
        if neighbor not in self._finished:
            self._gone.pop(neighbor, None)

    def masks(self) -> dict[str, PackedMask]:
        """Return the masks of this round by sender, ascending."""
        return dict(sorted(self._masks.get(self._round, {}).items()))

    def awaited(self) -> set[str]:
        """Return the neighbors whose mask of this round can still come.

        One whose later mask is here already will not send this round's: a connection delivers
        in order.
        """
        heard = self._masks.get(self._round, {})
        return {p for p in self._neighbors - heard.keys() - self._gone.keys() if not self._ahead(p)}

    def missing(self, otherwise: str) -> dict[str, str]:
        """Return why each neighbor without a mask has none: it left, is ahead, or `otherwise`."""
        absent = sorted(self._neighbors - self._masks.get(self._round, {}).keys())
        return {
            p: self._gone.get(p) or ("is past this round" if self._ahead(p) else otherwise)
            for p in absent
        }

    def _ahead(self, sender: str) -> list[int]:
        return [t for t, heard in self._masks.items() if t > self._round and sender in heard]
