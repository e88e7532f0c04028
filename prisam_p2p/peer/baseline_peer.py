"""The steps that baselines take where PRISAM compares masks.

Baselines are made of these and of the steps in peer.py: peer/baselines/.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Self

from prisam_p2p.control.activity import Activity
from prisam_p2p.core import peer_choice
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.delta_similarity import delta_cosines, kmeans_of_cosines
from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.erk import drop_and_regrow
from prisam_p2p.core.layout import Mask, State, Weights
from prisam_p2p.measure import records
from prisam_p2p.peer.marks import does
from prisam_p2p.peer.peer import Peer
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.process_limits import check_room_for_blas

NO_MASK = PackedMask(0, b"")
"""What an algorithm without masks announces: only that the round's weights are offered."""


class BaselinePeer(Peer):
    """A peer with the steps of all algorithms; users' code knows it as `prisam_p2p.api.Peer`."""

    @property
    def settings(self) -> RunSettings:
        """The run's settings."""
        return self.spec.settings

    @property
    def neighbors(self) -> list[str]:
        """The peers that this one has a link with, ascending."""
        return self.spec.neighbors

    @property
    def degrees(self) -> Mapping[str, int]:
        """Neighbor -> how many neighbors it has."""
        return self.spec.degrees

    @property
    def fan_in(self) -> int:
        """The number of models to average the own one with, where peers are drawn or ranked."""
        return self.spec.fan_in

    @property
    def true_group(self) -> list[str]:
        """The peers with similar data, this one included; [] unless the traits ask for them.

        They are those of this round, where data change during the run.
        """
        begun = [peers for t, peers in self.spec.true_group_changes if t <= self._t]
        return begun[-1] if begun else self.spec.true_group

    @does(Activity.ANNOUNCING)
    def offer(self, t: int, weights: Weights) -> None:
        """Offer `weights` and tell the neighbors so, without a mask."""
        self._wait_at_barrier(t, "announce")
        self._announce(t, NO_MASK, weights.mask, weights)

    @does(Activity.ANNOUNCING)
    def announce_structure(self, t: int, trained: Weights, own: Weights) -> None:
        """Send the structure mask of `own` to all neighbors and offer the `trained` weights."""
        self._wait_at_barrier(t, "announce")
        self._announce(t, PackedMask.pack(own.mask), own.mask, trained)

    def hear_of(self, t: int) -> list[str]:
        """Return the neighbors that offer weights of this round, ascending."""
        return list(self._neighbors.hear(t))

    def draw(self, t: int, n: int | None = None, among: Collection[str] = ()) -> tuple[str, ...]:
        """Return `n` peers drawn uniformly without replacement.

        The draw follows from the run's seed, this peer and the round. It ignores which peers are
        present: otherwise it would depend on the clock.

        Args:
            n: the run's fan-in if None.
            among: all neighbors if empty.
        """
        s = self.spec
        return peer_choice.draw_peers(
            among or s.neighbors, n or s.fan_in, s.settings.seed, s.index, t
        )

    def present(self, wanted: Collection[str], heard: Collection[str]) -> list[str]:
        """Return the `wanted` peers that were heard, ascending."""
        return sorted(set(wanted) & set(heard))

    def note_choice(self, t: int, wanted: Collection[str], heard: Collection[str]) -> list[str]:
        """Return and journal this round's group: this peer and the wanted peers that were heard."""
        self.group = sorted([self.peer_id, *self.present(wanted, heard)])
        self._journal.write(records.Grouped(t, {}, self.group))
        return self.group

    @does(Activity.GROUPING)
    def find_group_by_deltas(self, t: int, whole: Mapping[str, Weights]) -> tuple[str, ...]:
        """Return this peer's group by K-means on the weights' changes since W0, ascending.

        Args:
            whole: peer -> its trained weights, this peer's included.
        """
        check_room_for_blas()
        peers, cosines = delta_cosines(self.layout, self._w0, whole)
        seed = self.spec.settings.seed
        found = kmeans_of_cosines(peers, cosines, self.spec.clusters, seed, t)
        self.group = list(found.of(self.peer_id))
        self._journal.write(records.Grouped(t, found.labels, self.group))
        return tuple(self.group)

    @does(Activity.EVALUATING)
    def losses(self, models: Mapping[str, Weights]) -> dict[str, float]:
        """Return peer -> its model's loss on this peer's training images."""
        with self._turns.turn():
            return {peer: self.learner.loss(weights) for peer, weights in models.items()}

    @does(Activity.TRAINING)
    def gradients(self, t: int, weights: Weights) -> State:
        """Return the dense gradients of the loss on one batch of own data."""
        with self._turns.turn():
            return self.learner.gradients(weights, round_index=t)

    @does(Activity.PRUNING)
    def drop_and_regrow(self, trained: Weights, gradients: State, rate: float) -> Mask:
        """Return the mask over single weights for the next round (core/erk.py)."""
        assert isinstance(self.layout, EntryLayout)
        return drop_and_regrow(self.layout, trained, gradients, rate)

    @does(Activity.AGGREGATING)
    def average_by(
        self,
        average: Callable[[Self, Mapping[str, Weights]], Weights],
        members: Mapping[str, Weights],
    ) -> Weights:
        """Return what `average` makes of the members' weights."""
        return average(self, members)

    def note_trial(self, tried: Collection[str], best: Collection[str]) -> None:
        """Remember which of the `tried` peers' models were `best`; the saved state keeps it."""
        self._affinity = peer_choice.add_trial(self._affinity, tried, best)

    def favorites(self) -> tuple[str, ...]:
        """Return the peers whose models were among the best more often than expected by chance."""
        return peer_choice.favorites(self._affinity)
