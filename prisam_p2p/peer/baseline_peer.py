"""The steps that baselines take where PRISAM compares masks.

Baselines are made of these and of the steps in peer.py: peer/baselines/.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Self, TypeVar

import numpy as np

from prisam_p2p.control.activity import Activity
from prisam_p2p.core import model_choice, peer_choice
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.delta_similarity import delta_cosines, kmeans_of_cosines
from prisam_p2p.core.entrywise import EntryLayout
from prisam_p2p.core.erk import drop_and_regrow
from prisam_p2p.core.layout import Mask, State, Weights
from prisam_p2p.learn.cost import step_macs
from prisam_p2p.measure import records
from prisam_p2p.peer.components import w0_seed
from prisam_p2p.peer.marks import does
from prisam_p2p.peer.peer import Peer
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.process_limits import check_room_for_blas

NO_MASK = PackedMask(0, b"")
"""What an algorithm without masks announces: only that the round's weights are offered."""

_OF_MODELS = 2
"""Draws further initial weights apart from W0 and from the W0 of one's own."""

_MASK = "mask"

Key = TypeVar("Key")


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
        """Neighbor -> how many neighbors it has at a time."""
        return self.spec.degrees

    @property
    def degree(self) -> int:
        """How many neighbors this one has at a time; those that took others' places count once."""
        return len(self.neighbors) if self.spec.degree is None else self.spec.degree

    @property
    def fan_in(self) -> int:
        """The number of models to average the own one with, where peers are drawn or ranked."""
        return self.spec.fan_in

    @property
    def clusters(self) -> int:
        """k: the number of groups that peers are clustered into, or of models they choose among."""
        return self.spec.clusters

    @property
    def true_group(self) -> list[str]:
        """The peers with similar data, this one included; [] unless the traits ask for them.

        They are those of this round, where data change during the run.
        """
        begun = [peers for t, peers in self.spec.true_group_changes if t <= self._t]
        return begun[-1] if begun else self.spec.true_group

    @does(Activity.LOADING)
    def initial_weights(self, n: int) -> Weights:
        """Return the n-th of a family of initial weights, the same on every peer; 0 is W0."""
        if n == 0:
            return self._w0
        seeds = np.random.SeedSequence([w0_seed(self.spec), n, _OF_MODELS])
        return self.learner.initial_weights(int(seeds.generate_state(1)[0]))

    @does(Activity.TRAINING)
    def train_more(
        self,
        t: int,
        weights: Weights,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        toward: Weights | None = None,
        strength: float = 0.0,
    ) -> Weights:
        """Train another model, or one further, in a round in which `train` was called.

        Args:
            epochs, learning_rate: those of the round if None.
            toward: weights of the same mask, to which parameters are drawn; None = nothing.
            strength: lambda: the loss has lambda / 2 x the squared distance to them more.
        """
        of_round = self._pace_of_round(t)
        how = epochs or of_round[0], learning_rate or of_round[1]
        trained, did = self._training.fit(t, weights, *how, toward=toward, strength=strength)
        self._journal.write(records.Trained(round=t, **did))
        return trained

    def fine_tune(self, weights: Weights) -> Weights:
        """Train the last average further, by the settings of fine-tuning, and evaluate it."""
        t, s = self.rounds_done - 1, self.settings
        epochs, rate = s.finetune_epochs, s.finetune_rate
        tuned = self.train_more(t, weights, epochs=epochs, learning_rate=rate)
        self.evaluate(t, "after_fine_tuning", tuned)
        return tuned

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

    @does(Activity.ANNOUNCING)
    def announce_choice(self, t: int, choice: int, weights: Weights) -> None:
        """Offer `weights` and tell the neighbors which of the k models they are, in k bits."""
        self._wait_at_barrier(t, "announce")
        announced = model_choice.announced(choice, self.clusters)
        self._announce(t, announced, weights.mask, weights)

    def hear_choices(self, t: int) -> dict[str, int]:
        """Return peer -> which of the k models it offers, this peer included.

        A neighbor that named no model, or several, is absent.
        """
        named = {peer: model_choice.choice_of(mask) for peer, mask in self.hear(t).items()}
        return {peer: choice for peer, choice in named.items() if choice is not None}

    def hear_of(self, t: int) -> list[str]:
        """Return the neighbors that offer weights of this round, ascending."""
        return list(self._neighbors.hear(t))

    def draw(self, t: int, n: int | None = None, among: Collection[str] = ()) -> tuple[str, ...]:
        """Return `n` peers drawn uniformly without replacement, of those that take part.

        The draw follows from the run's seed, this peer and the round. It ignores which peers are
        present: otherwise it would depend on the clock.

        Args:
            n: the run's fan-in if None.
            among: all neighbors if empty.
        """
        s = self.spec
        drawn_of = self._participation.among(among or s.neighbors, t)
        return peer_choice.draw_peers(drawn_of, n or s.fan_in, s.settings.seed, s.index, t)

    def present(self, wanted: Collection[str], heard: Collection[str]) -> list[str]:
        """Return the `wanted` peers that were heard, ascending."""
        return sorted(set(wanted) & set(heard))

    def draw_similar(self, t: int, temperature: float) -> tuple[str, ...]:
        """Return R neighbors, those more likely whose models had low losses (`note_losses`)."""
        s, likely = self.spec, peer_choice.similarities(self._affinity, self.neighbors)
        return peer_choice.draw_by_similarity(
            likely, s.fan_in, temperature, s.settings.seed, s.index, t
        )

    def note_losses(self, losses: Mapping[str, float]) -> None:
        """Remember the losses of neighbors' models for `draw_similar`; the state keeps them."""
        self._affinity = peer_choice.note_losses(self._affinity, losses)

    def note_choice(
        self,
        t: int,
        wanted: Collection[str],
        heard: Collection[str],
        labels: Mapping[str, int] | None = None,
    ) -> list[str]:
        """Return and journal this round's group: this peer and the wanted peers that were heard.

        Args:
            labels: peer -> its cluster, where peers have said it.
        """
        self.group = sorted([self.peer_id, *self.present(wanted, heard)])
        self._journal.write(records.Grouped(t, dict(labels or {}), self.group))
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
    def losses(self, models: Mapping[Key, Weights], averaged: bool = False) -> dict[Key, float]:
        """Return key -> its model's loss on this peer's training images.

        Args:
            averaged: models are averages: BN statistics of the own data are computed before, if
                the run recalibrates.
        """
        anew = averaged and self.settings.bn_recalibration
        with self._turns.turn():
            found = {
                key: self.learner.loss(self.learner.recalibrate(weights) if anew else weights)
                for key, weights in models.items()
            }
        macs = sum(self.learner.macs(weights.mask) for weights in models.values())
        n = self.learner.n_train
        did = records.Compared(self._t, len(models), n * len(models), n * macs)
        self._journal.write(did)
        return found

    @does(Activity.TRAINING)
    def gradients(self, t: int, weights: Weights) -> State:
        """Return the dense gradients of the loss on one batch of own data."""
        with self._turns.turn():
            found = self.learner.gradients(weights, round_index=t)
        n = min(self.settings.batch_size, self.learner.n_train)
        of_one = step_macs(self.learner.layer_macs(weights.mask))
        self._journal.write(records.Differentiated(t, n, n * of_one))
        return found

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

    def remember(self, name: str, weights: Weights) -> None:
        """Keep a further model between rounds; the saved state keeps it (`memory`)."""
        self.memory[f"{name}/{_MASK}"] = weights.mask
        self.memory |= {f"{name}/w.{tensor}": a for tensor, a in weights.tensors.items()}

    def remembered(self, name: str) -> Weights | None:
        """Return the model that `remember` kept under this name; None if there is none."""
        mask, before = self.memory.get(f"{name}/{_MASK}"), f"{name}/w."
        if mask is None:
            return None
        tensors = {
            key.removeprefix(before): array
            for key, array in self.memory.items()
            if key.startswith(before)
        }
        return Weights(np.asarray(mask, np.bool_), tensors)
