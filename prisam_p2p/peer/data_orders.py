"""Other data: which images a peer is to load, and from which round on.

The peer only loads what its spec tells it, at the beginning of a round's training, so that the same
round has the same images however often a peer starts. docs/decisions/0050-drift.md says why.
"""

from __future__ import annotations

import numpy as np

from prisam_p2p.control.spec import DataChangeSpec, DataRows, PeerSpec
from prisam_p2p.learn.splits import PeerData


class DataOrders:
    """Which of the data that a peer's spec names are loaded, and which are due."""

    def __init__(self, spec: PeerSpec) -> None:
        self._spec, self._loaded = spec, 0

    def due(self, t: int) -> DataChangeSpec | None:
        """Return what is to be loaded in round `t`; None = it is loaded already."""
        begun = sum(change.round <= t for change in self._spec.data_changes)
        return self._spec.data_changes[begun - 1] if begun > self._loaded else None

    def note_loaded(self, change: DataChangeSpec) -> int:
        """Note that `change` is loaded; return how many training images the peer had not before."""
        each: list[DataRows | DataChangeSpec] = [self._spec.data, *self._spec.data_changes]
        before, self._loaded = each[self._loaded], each.index(change, 1)
        return len({*change.train} - {*before.train})


def rows_of(data: DataRows | DataChangeSpec) -> PeerData:
    """Return the rows of the shared images, as the learner takes them."""
    group = data.group if isinstance(data, DataChangeSpec) else None
    return PeerData(np.array(data.train), np.array(data.validation), np.array(data.test), group)
