"""The process of a peer that runs alone, so that the launcher can measure what a peer costs.

It is a real peer's process: it trains, prunes, clusters, averages, evaluates and saves. Only its
neighbors are not there: it hears masks of their size, and what it pulls are copies of its own
weights. So it holds the buffers that a peer of the run holds. What connections cost is not in it
(preflight/needs.py adds that).
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from prisam_p2p.control.spec import Incarnation, PeerSpec
from prisam_p2p.core.bits import PackedMask, unpack_bits
from prisam_p2p.core.layout import Mask, Weights, unpack
from prisam_p2p.peer import process
from prisam_p2p.peer.components import Parts
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.process import spawned
from prisam_p2p.transport.context import Endpoint
from prisam_p2p.transport.pull import FLOATS
from prisam_p2p.transport.snapshots import Snapshot, snapshot_of


def main(spec: PeerSpec, incarnation: Incarnation, line: socket.socket) -> None:
    """Play a peer alone, until the launcher orders the exit."""
    assert incarnation.probe is not None, f"{spec.peer_id} is no probe"
    donors = incarnation.probe.donors
    process.main(
        spec,
        incarnation,
        line,
        lambda _: Parts(network=partial(AloneNetwork, spec.neighbors, donors)),
    )


class AloneNetwork(Neighbors):
    """Hears and pulls as if `neighbors` were there; the first `donors` have this peer's data.

    Args:
        donors: how many neighbors announce this peer's own mask, so that they are in its group.
        given: arguments of Neighbors.
    """

    def __init__(self, neighbors: Sequence[str], donors: int, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._names, self._alike = neighbors, frozenset(neighbors[:donors])
        self._mask = PackedMask(0, b"")
        self._snapshot: Snapshot | None = None

    def connect(self, roster: Mapping[str, Endpoint], timeout_s: float) -> None:
        """See Neighbors: the transport's thread starts, and connects to nobody."""
        super().connect({}, timeout_s)

    def announce(self, round_index: int, mask: PackedMask, weights: Weights) -> None:
        """See Neighbors."""
        self._mask = mask
        self._snapshot = snapshot_of(self._layout, round_index, weights, self._wire_dtype)
        super().announce(round_index, mask, weights)

    def hear(self, round_index: int, idle_s: float | None = None) -> dict[str, PackedMask]:
        """Return this peer's own mask for the donors, and others of its size for the rest."""
        draws = np.random.default_rng(round_index)
        return {
            name: self._mask if name in self._alike else self._other_mask(draws)
            for name in self._names
        }

    def pull(
        self, round_index: int, donors: Collection[str], wanted: Mask | None
    ) -> dict[str, Weights]:
        """Return a copy of this peer's own weights for each donor."""
        return {donor: self._copy() for donor in donors}

    def latest_rounds(self) -> dict[str, int]:
        """See Neighbors: nobody has announced anything."""
        return {}

    def _other_mask(self, draws: np.random.Generator) -> PackedMask:
        return PackedMask.pack(draws.permutation(self._mask.unpack()))

    def _copy(self) -> Weights:
        assert self._snapshot is not None, "a peer announces before it pulls"
        offer, buffer = self._snapshot.offer, memoryview(bytearray(self._snapshot.buffer))
        mask = unpack_bits(offer.bits, offer.n_bits)
        return unpack(self._layout, mask, buffer, FLOATS[offer.dtype])


if __name__ == "__main__":
    main(*spawned())
