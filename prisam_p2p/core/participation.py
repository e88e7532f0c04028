"""Who takes part in a round, where not all peers do: drawn by the seed and the round.

Every peer can work this out for itself and for any other, so that nobody has to be told. Source:
PRISAM, section V, where 100 of 200 devices take part in a round; how they are drawn is ours
(docs/decisions/0057-participation.md).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache

import numpy as np

from prisam_p2p.core.layout import PeerId

_OF_PARTICIPATION = 4
"""Draw participants apart from what else follows from the seed and a round."""

_KEPT_DRAWS = 64


def participants(participation: float | None, n_peers: int) -> int:
    """Return how many of `n_peers` take part in a round.

    Args:
        participation: below 1 a share, rounded half up, else a count; None = all.

    Raises:
        ValueError: it is not above 0, no whole number from 1 on, or more than there are peers.
    """
    if participation is None:
        return n_peers
    if participation <= 0 or participation > n_peers:
        raise ValueError(f"{participation:g} of {n_peers} peers")
    if participation < 1:
        return max(1, math.floor(participation * n_peers + 0.5))
    if participation != int(participation):
        raise ValueError(f"{participation:g} is no number of peers")
    return int(participation)


class Participation:
    """Who takes part in which round of a run.

    All do in the first round, the paper's initialization, in which every device trains W0, and in
    the last one, so that every device ends with a model of the same age. In each round between
    them exactly `n` peers do, drawn without replacement.

    Args:
        peers: of the run; () = all take part in every round, whoever they are.
        n: peers of a round, from 1 to all.
        rounds: of the run.
    """

    def __init__(
        self, peers: Collection[PeerId] = (), n: int = 0, seed: int = 0, rounds: int = 0
    ) -> None:
        self._peers, self._n = sorted(peers), n
        self._seed, self._last = seed, rounds - 1
        self._drawn = lru_cache(_KEPT_DRAWS)(self._draw)

    @property
    def of_all(self) -> bool:
        """Whether all peers take part in every round."""
        return self._n >= len(self._peers)

    def takes_part(self, peer: PeerId, round_index: int) -> bool:
        """Tell whether a peer takes part in a round."""
        return self._has_all(round_index) or peer in self._drawn(round_index)

    def among(self, peers: Collection[PeerId], round_index: int) -> set[PeerId]:
        """Return those of `peers` that take part in a round."""
        return {peer for peer in peers if self.takes_part(peer, round_index)}

    def next_round(self, peer: PeerId, round_index: int) -> int:
        """Return the first round from `round_index` on in which a peer takes part."""
        while not self.takes_part(peer, round_index):
            round_index += 1
        return round_index

    def sat_out(self, peer: PeerId) -> int:
        """Return how many rounds of the run a peer sits out."""
        return sum(not self.takes_part(peer, t) for t in range(self._last + 1))

    def _has_all(self, round_index: int) -> bool:
        return self.of_all or round_index <= 0 or round_index >= self._last

    def _draw(self, round_index: int) -> frozenset[PeerId]:
        seeds = np.random.SeedSequence([self._seed, _OF_PARTICIPATION, round_index])
        drawn = np.random.default_rng(seeds).permutation(len(self._peers))[: self._n]
        return frozenset(self._peers[i] for i in drawn)


EVERYBODY = Participation()
"""All peers take part in every round."""
