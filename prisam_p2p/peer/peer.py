"""One peer's steps: what loop.py and baselines/ compose. Each does one thing and journals it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext

from prisam_p2p.control.messages import AtBarrier, Report, RoundDone, RoundsBegun, StateLost
from prisam_p2p.control.spec import Incarnation, PeerSpec, Phase
from prisam_p2p.core import grouping, peer_choice
from prisam_p2p.core.aggregation import aggregate
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.budget import GRID_STEP
from prisam_p2p.core.defence import norm_ratios, outliers
from prisam_p2p.core.delta_similarity import delta_cosines, kmeans_of_cosines
from prisam_p2p.core.layout import Layout, Mask, State, Weights, widen
from prisam_p2p.core.masks import prune, similarity_mask
from prisam_p2p.learn.learner import Learner
from prisam_p2p.learn.pace import Pace
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.measure.state import Progress, save_state
from prisam_p2p.peer.beginning import begin
from prisam_p2p.peer.evaluation import Deployment, Standing
from prisam_p2p.peer.neighbors import Network
from prisam_p2p.peer.turns import Turns
from prisam_p2p.settings import Grouping, PruneOrder, PullPart

NO_MASK = PackedMask(0, b"")
"""What an algorithm without masks announces: only that the round's weights are offered."""


class Peer:
    """The state of a peer between its steps.

    Args:
        network: None for an algorithm that never communicates.
        w0: initial weights, full: the run's common ones, but in a negative control.
        sleep: waits so many seconds, or raises where the process is to stop.
        report: tells the launcher how far this peer is.
        wait_at_mark: returns when the launcher lets this peer go on.
    """

    def __init__(
        self,
        spec: PeerSpec,
        incarnation: Incarnation,
        layout: Layout,
        w0: Weights,
        learner: Learner,
        network: Network | None,
        journal: Journal,
        sleep: Callable[[float], None],
        report: Callable[[Report], None],
        wait_at_mark: Callable[[], object],
    ) -> None:
        self.spec, self.layout, self.learner = spec, layout, learner
        self._incarnation = incarnation
        self._traits = spec.settings.algorithm.traits
        self.peer_id, self.rounds = spec.peer_id, spec.settings.rounds
        self.prune_ratio = spec.device.prune_ratio
        self.rounds_done = 0
        self.group: list[str] = [spec.peer_id]
        self.deployment: Deployment | None = None
        self._w0, self._network, self._journal = w0, network, journal
        self._sleep, self._report, self._wait_at_mark = sleep, report, wait_at_mark
        self._first = 0
        self._turns = Turns(spec.turns_fd, spec.cores, sleep)
        self.announced = NO_MASK
        self._pruned_at = 0.0
        self._affinity: grouping.Affinity | peer_choice.Trials = {}
        self._norms: dict[str, float] = {}
        self._loss: float | None = None
        self._standing = Standing(
            spec.settings, "after_aggregation" if network else "after_training"
        )

    def begin(self) -> tuple[Weights, int]:
        """Return the weights and the round to begin with: W0 and 0, the same on every peer.

        A later process of this peer goes on from what the one before left, or from a neighbor's
        weights, and in the round in which its neighbors are by now.
        """
        start = begin(self.spec, self._incarnation, self.layout, self._network)
        self.rounds_done = start.round_index
        if start.progress:
            self.prune_ratio = start.progress.prune_ratio
            self._affinity = dict(start.progress.affinity)
            self._standing.validations = list(start.progress.validations)
        self._report(RoundsBegun(start.round_index))
        if self._incarnation.late or self._incarnation.number:
            led_to = start.progress.rounds_done if start.progress else 0
            self._journal.write(
                records.Resumed(led_to, start.round_index, start.source, start.donor)
            )
        self._first = start.round_index if start.weights is None else -1
        return start.weights or self._w0, start.round_index

    def rounds_from(self, first: int) -> Iterator[int]:
        """Yield the rounds to run; those that half of the neighbors left behind are skipped.

        Who was given up (paused, parted) and went on round by round would never be heard again.
        """
        t = first
        while t < self.rounds:
            yield t
            reached = self._network.reached() if self._network else 0
            after, t = t, max(t + 1, min(reached, self.rounds - 1))
            if t > after + 1:
                self._journal.write(records.CaughtUp(after, t))

    def train(self, t: int, weights: Weights) -> Weights:
        """Train on own data, at the device's speed (step 7)."""
        self._mark(t, "train")
        s = self.spec.settings
        epochs = s.warmup_epochs if t == self._first else s.epochs
        rate = s.learning_rate * s.lr_decay**t
        with self._turns.turn() if self.spec.device.speed == 1 else nullcontext():
            pace = Pace(self.spec.device.speed, self._sleep)
            trained, outcome = self.learner.train(
                weights, round_index=t, epochs=epochs, learning_rate=rate, pace=pace
            )
        achieved = round(pace.cpu_s / pace.wall_s, 4) if outcome.steps else None
        self._journal.write(
            records.Trained(
                round=t,
                epochs=epochs,
                steps=outcome.steps,
                images=outcome.images,
                loss=outcome.loss,
                learning_rate=rate,
                parameters=self.layout.n_parameters(weights.mask),
                cpu_s=round(pace.cpu_s, 6),
                wall_s=round(pace.wall_s, 6),
                speed_asked=self.spec.device.speed,
                speed_achieved=achieved,
            )
        )
        self._loss = outcome.loss
        return trained

    def prune(self, t: int, trained: Weights) -> Weights:
        """Return the slim weights at this device's prune ratio (step 8)."""
        self._pruned_at = self.prune_ratio
        full = widen(self.layout, trained)
        return prune(self.layout, full, trained.mask, self.prune_ratio)

    def announce(self, t: int, trained: Weights, own: Weights) -> None:
        """Send the similarity mask to the neighbors, offer the slim weights (step 1)."""
        self._mark(t, "announce")
        ratio, layers = self.spec.similarity_ratio, self.spec.settings.similarity_layers
        full = widen(self.layout, trained).tensors
        self._own_mask = own.mask
        structure = PackedMask.pack(own.mask)
        similarity = PackedMask.pack(similarity_mask(self.layout, full, ratio, layers))
        self._announce(t, structure, similarity, own)

    def _announce(
        self, t: int, structure: PackedMask, announced: PackedMask, offered: Weights
    ) -> None:
        self.announced = announced
        self._journal.write(records.Masked(t, self.prune_ratio, structure.hex, announced.hex))
        self._neighbors.announce(t, announced, offered)

    def hear(self, t: int) -> dict[str, PackedMask]:
        """Return the masks of this round by peer, the own one included (step 1)."""
        return {**self._neighbors.hear(t), self.peer_id: self.announced}

    def find_group(self, t: int, masks: Mapping[str, PackedMask]) -> tuple[str, ...]:
        """Return this peer's group, itself included (steps 2 and 3)."""
        s = self.spec.settings
        labels: dict[str, int] = {}
        if s.grouping is Grouping.TOP_M:
            self._affinity = grouping.add_affinity(self._affinity, self.peer_id, masks)
            group = grouping.top_m(self._affinity, self.peer_id, masks, s.top_m)
        else:
            found = (
                grouping.kmeans(masks, self.spec.clusters, s.seed, t)
                if s.grouping is Grouping.KMEANS
                else grouping.dbscan(masks, s.dbscan_eps)
            )
            labels, group = found.labels, found.of(self.peer_id)
        self.group = list(group)
        self._journal.write(records.Grouped(t, labels, self.group))
        return group

    def pull(self, t: int, group: Sequence[str], whole: bool = False) -> dict[str, Weights]:
        """Return the weights of the group's other members, of those that deliver (step 4).

        Args:
            whole: all that they offer, whatever --pull says.
        """
        self._mark(t, "pull")
        overlap = self.spec.settings.pull is PullPart.OVERLAP and not whole
        wanted = self._own_mask if overlap else None
        donors = [peer for peer in group if peer != self.peer_id]
        return self._neighbors.pull(t, donors, wanted)

    def check_norms(
        self, t: int, own: Weights, pulled: Mapping[str, Weights]
    ) -> dict[str, Weights]:
        """Return the weights that are about as large as the others', and journal who has not.

        docs/decisions/0019-defences.md.
        """
        ratios = norm_ratios(self.layout, own, pulled)
        out = outliers(ratios, self.spec.settings.norm_limit)
        for donor, times in sorted(out.items()):
            self._neighbors.reject(t, donor, "norm", f"{times:.4g} times the median norm")
        self._norms = {d: round(ratio, 4) for d, ratio in ratios.items() if d not in out}
        return {donor: weights for donor, weights in pulled.items() if donor not in out}

    def average(self, members: Mapping[str, Weights]) -> tuple[Weights, Mask]:
        """Return W_G in full coordinates and the union of the members' masks (steps 5 and 6)."""
        return aggregate(self.layout, members, self.spec.settings.aggregation)

    def recalibrate(self, weights: Weights) -> Weights:
        """Renew the BN statistics of averaged weights on own data, where the run wants it."""
        if not self.spec.settings.bn_recalibration:
            return weights
        with self._turns.turn():
            return self.learner.recalibrate(weights)

    def note_aggregation(self, t: int, members: list[str], union: Mask, slim: Weights) -> None:
        """Journal who was averaged."""
        self._mark(t, "aggregate")
        in_order = self.spec.settings.prune_order is not PruneOrder.AFTER_TRAINING
        regrowth = in_order and not self._traits.dense
        self._journal.write(
            records.Aggregated(
                round=t,
                members=sorted(members),
                union_channels=int(union.sum()),
                kept_channels=int(slim.mask.sum()),
                regrowth=regrowth and self.trains_union(t + 1),
                norms=self._norms,
            )
        )

    def evaluate(self, t: int, moment: str, weights: Weights) -> None:
        """Measure a model that the device could deploy, on its own held-out images."""
        if not self._standing.is_due(t):
            return
        with self._turns.turn():
            result = self.learner.accuracy(weights)
        self._standing.note(moment, result)
        self._journal.write(records.Evaluated(t, moment, result.validation, result.test))

    def guard_accuracy(self, t: int) -> None:
        """Give channels back when accuracy falls too far; the budget's minimum always wins."""
        margin = self.spec.settings.accuracy_guard
        if margin is None or not self._standing.is_due(t) or t + 1 == self.rounds:
            return
        relaxed = max(self.spec.device.least_prune_ratio, round(self.prune_ratio - GRID_STEP, 2))
        if self._standing.has_fallen(margin) and relaxed < self.prune_ratio:
            self.prune_ratio = relaxed
            validations = self._standing.validations
            self._journal.write(records.GuardActed(t, validations[-1], max(validations), relaxed))

    def trains_union(self, t: int) -> bool:
        """Tell whether round `t` trains all of the group's channels instead of the own ones."""
        s = self.spec.settings
        if s.prune_order is PruneOrder.AFTER_TRAINING:
            return True
        return s.regrowth_every > 0 and t % s.regrowth_every == 0

    def converged(self) -> bool:
        """Tell whether this peer is done before its rounds are over (Algorithm 1, "until").

        Only after a round that was evaluated: that is what it deploys by. Its neighbors are told
        not to wait for it; it answers pulls of its last weights on.
        """
        if not self._standing.is_due(self.rounds_done - 1):
            return False
        done = self._standing.has_converged(self._loss)
        if done and self._network and self.rounds_done < self.rounds:
            self._network.leave(self.rounds_done)
        return done

    def end_round(self, t: int, weights: Weights) -> None:
        """Journal the bytes so far, keep what the next round begins with, tell the launcher."""
        self.rounds_done = t + 1
        progress = Progress(
            rounds_done=t + 1,
            incarnation=self._incarnation.number,
            prune_ratio=self.prune_ratio,
            affinity=self._affinity,
            validations=self._standing.validations,
            layout=self.layout.digest.hex(),
        )
        self._keep_state(t, weights, progress)
        if self._network:
            self._network.write_traffic(t)
        tests = {moment: accuracy.test for moment, accuracy in self._standing.accuracy.items()}
        n_bytes = self._network.bytes_out() if self._network else 0
        self._report(RoundDone(t, tests, n_bytes))

    def _keep_state(self, t: int, weights: Weights, progress: Progress) -> None:
        """Store what the next round begins with; one that cannot goes on all the same."""
        try:
            save_state(self.spec.state_path, weights, progress)
        except OSError as error:
            reason = error.strerror or str(error)
            self._journal.write(records.StateNotWritten(t, reason))
            self._report(StateLost(t, reason))

    # What baselines do where PRISAM compares masks.

    def offer(self, t: int, weights: Weights) -> None:
        """Offer `weights` and tell the neighbors so; no mask is announced."""
        self._mark(t, "announce")
        self._own_mask = weights.mask
        if not self._traits.dense:
            structure = PackedMask.pack(weights.mask).hex
            self._journal.write(records.Masked(t, self.prune_ratio, structure, ""))
        self._neighbors.announce(t, NO_MASK, weights)

    def announce_structure(self, t: int, trained: Weights, own: Weights) -> None:
        """Send the mask of `own` to the neighbors, offer all that was `trained`."""
        self._mark(t, "announce")
        self._own_mask = own.mask
        structure = PackedMask.pack(own.mask)
        self._announce(t, structure, structure, trained)

    def hear_of(self, t: int) -> list[str]:
        """Return the neighbors that offer weights of this round."""
        return list(self._neighbors.hear(t))

    def draw(self, t: int, n: int | None = None, among: Collection[str] = ()) -> tuple[str, ...]:
        """Return `n` peers (the run's fan-in) drawn from `among` (all neighbors, if it is empty).

        Whether they are there does not matter: the draw must not depend on the clock.
        """
        s = self.spec
        return peer_choice.draw_peers(
            among or s.neighbors, n or s.fan_in, s.settings.seed, s.index, t
        )

    def present(self, wanted: Collection[str], heard: Collection[str]) -> list[str]:
        """Return which of the `wanted` peers are neighbors that were heard, ascending."""
        return sorted(set(wanted) & set(heard))

    def note_choice(self, t: int, wanted: Collection[str], heard: Collection[str]) -> list[str]:
        """Return and journal whom to average with: who is `wanted` and was heard, and this peer."""
        self.group = sorted([self.peer_id, *self.present(wanted, heard)])
        self._journal.write(records.Grouped(t, {}, self.group))
        return self.group

    def find_group_by_deltas(self, t: int, whole: Mapping[str, Weights]) -> tuple[str, ...]:
        """Return this peer's group among those whose weights are here, itself included."""
        peers, cosines = delta_cosines(self.layout, self._w0, whole)
        seed = self.spec.settings.seed
        found = kmeans_of_cosines(peers, cosines, self.spec.clusters, seed, t)
        self.group = list(found.of(self.peer_id))
        self._journal.write(records.Grouped(t, found.labels, self.group))
        return tuple(self.group)

    def losses(self, models: Mapping[str, Weights]) -> dict[str, float]:
        """Return each model's loss on the own training images."""
        with self._turns.turn():
            return {peer: self.learner.loss(weights) for peer, weights in models.items()}

    def gradients(self, t: int, weights: Weights) -> State:
        """Return the loss' dense gradients on one batch of own data."""
        with self._turns.turn():
            return self.learner.gradients(weights, round_index=t)

    def note_trial(self, tried: Collection[str], best: Collection[str]) -> None:
        """Remember which of the `tried` peers' models were `best`; a restart does not forget."""
        self._affinity = peer_choice.add_trial(self._affinity, tried, best)

    def favorites(self) -> tuple[str, ...]:
        """Return the peers whose models were among the best more often than by chance."""
        return peer_choice.favorites(self._affinity)

    def deploy(self, candidates: Mapping[str, Weights]) -> None:
        """Keep the candidate that is better on the validation images."""
        moment = self._standing.best(candidates)
        self.deployment = Deployment(
            moment, self._pruned_at, candidates[moment], self._standing.accuracy[moment]
        )

    def _mark(self, t: int, phase: Phase) -> None:
        """Wait for the launcher where the spec says so: what it does then, it does in between."""
        if (t, phase) in self.spec.barriers:
            self._report(AtBarrier(t, phase))
            self._wait_at_mark()

    @property
    def _neighbors(self) -> Network:
        assert self._network is not None, "this algorithm does not communicate"
        return self._network
