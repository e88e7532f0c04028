"""Which neighbors of a lost host's peers still have to fence them off. Pure: time is a number.

docs/decisions/0042-leases-and-fencing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

FENCE_TIMEOUT_S = 15.0
"""A neighbor answers in milliseconds, unless it is stopped. One that has not answered by then is
not waited for: it is told of the replacement only after the fence, in this order."""


class HostFence:
    """The fence around the peers of one lost host.

    Args:
        least: peer -> the least incarnation of it that is to be heard.
        neighbors: peer -> those that are told.
        now_s: when they are told.

    Attributes:
        answered, unanswered: neighbors, once it stands (`stands`).
    """

    def __init__(
        self, least: Mapping[str, int], neighbors: Mapping[str, Iterable[str]], now_s: float
    ) -> None:
        self.least, self.since_s = dict(least), now_s
        self._all = {(neighbor, peer) for peer in least for neighbor in neighbors[peer]}
        self._awaited = set(self._all)
        self._gone: set[str] = set()
        self._stands = False

    def answered_by(self, neighbor: str, peer: str, least: int) -> None:
        """Take the answer of a neighbor in."""
        if least >= self.least.get(peer, least + 1):
            self._awaited.discard((neighbor, peer))

    def look(self, is_down: Callable[[str], bool], now_s: float) -> bool:
        """Tell whether it stands now and did not before.

        It does when all have answered that have a process, or when they have had their time.
        """
        if self._stands:
            return False
        self._gone |= {neighbor for neighbor, _ in self._awaited if is_down(neighbor)}
        self._awaited = {each for each in self._awaited if each[0] not in self._gone}
        self._stands = not self._awaited or now_s - self.since_s >= FENCE_TIMEOUT_S
        return self._stands

    @property
    def stands(self) -> bool:
        """Whether nothing of the lost processes is heard, as far as anybody can tell."""
        return self._stands

    @property
    def answered(self) -> list[str]:
        """The neighbors that have answered for each of their lost neighbors, ascending."""
        return sorted({neighbor for neighbor, _ in self._all} - self._gone - {*self.unanswered})

    @property
    def unanswered(self) -> list[str]:
        """The neighbors that are still waited for, or were in vain, ascending."""
        return sorted({neighbor for neighbor, _ in self._awaited})
