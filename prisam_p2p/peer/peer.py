"""The steps of Algorithm 1 on one peer, in the order in which loop.py calls them.

Each step does one thing and journals it. The steps that only baselines take: baseline_peer.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.messages import (
    AtBarrier,
    Report,
    RoundDone,
    RoundsBegun,
    StateLost,
    TrainedOnNewData,
)
from prisam_p2p.control.spec import Incarnation, PeerSpec, Phase
from prisam_p2p.core import grouping, peer_choice
from prisam_p2p.core.aggregation import aggregate, votes
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.budget import GRID_STEP
from prisam_p2p.core.defence import norm_ratios, outliers
from prisam_p2p.core.layout import Array, Layout, Mask, Weights
from prisam_p2p.core.mask_noise import noise_generator, with_noise
from prisam_p2p.core.masks import Importance
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.learner import Accuracy, Learner
from prisam_p2p.measure import records
from prisam_p2p.measure.journal import Journal
from prisam_p2p.measure.state import Progress, save_state
from prisam_p2p.peer.beginning import begin
from prisam_p2p.peer.channel_choice import ChannelChoice
from prisam_p2p.peer.data_orders import DataOrders, rows_of
from prisam_p2p.peer.evaluation import Deployment, Evaluations
from prisam_p2p.peer.local_training import LocalTraining
from prisam_p2p.peer.marks import Marks, does
from prisam_p2p.peer.neighbors import Neighbors
from prisam_p2p.peer.own_grouping import OwnGrouping, own_groups
from prisam_p2p.peer.turns import Turns
from prisam_p2p.settings import Grouping, MaskBy, PruneOrder, PullPart, RankBy, SimilarityBy
from prisam_p2p.system.process_limits import check_room_for_blas

_BEFORE_MASKS: tuple[Phase, ...] = ("train", "announce")
_AFTER_MASKS: tuple[Phase, ...] = ("pull", "aggregate")
"""The phases of a round before, and after, the wait for masks."""

_SCORES = "similarity.scores"
"""In a peer's memory: what its announced masks are made of."""


class Peer:
    """A peer's steps, and its state between them.

    Args:
        w0: initial weights, dense; common to the run unless the run says otherwise.
        neighbors: None for an algorithm that never communicates.
        sleep: waits for this many seconds; raises if the process is told to stop.
        report: sends a report to the launcher.
        wait_at_barrier: returns when the launcher lets this peer go on.
        own_grouping: users' code that clusters masks; None = what the settings say.
        memory_mib: returns the memory of this process above its baseline; None = unknown.
        marks: where this peer shows what it is doing; None = nobody looks.

    Attributes:
        prune_ratio: this device's; the accuracy guard may lower it.
        rounds_done: rounds that this peer, earlier processes included, has ended.
        group: this round's, this peer included, ascending.
        announced: the mask that this peer announced last.
        deployment: the model that this peer ends with; None before `deploy`.
        memory: name -> array; what an algorithm keeps between rounds besides the weights. It is
            saved with the state of a round, and `begin` restores it.
    """

    def __init__(
        self,
        spec: PeerSpec,
        incarnation: Incarnation,
        layout: Layout,
        w0: Weights,
        learner: Learner,
        neighbors: Neighbors | None,
        journal: Journal,
        sleep: Callable[[float], None],
        report: Callable[[Report], None],
        wait_at_barrier: Callable[[], object],
        marks: Marks | None = None,
        own_grouping: OwnGrouping | None = None,
        memory_mib: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.spec, self.layout, self.learner = spec, layout, learner
        self._incarnation = incarnation
        self._traits = spec.traits
        self.peer_id, self.rounds = spec.peer_id, spec.settings.rounds
        self.prune_ratio = spec.device.prune_ratio
        self.rounds_done = 0
        self.group: list[str] = [spec.peer_id]
        self.deployment: Deployment | None = None
        self._w0, self._neighbors_if_any, self._journal = w0, neighbors, journal
        self._report, self._await_release = report, wait_at_barrier
        self._own_grouping, self._memory_mib = own_grouping, memory_mib
        self.memory: dict[str, Array] = {}
        self._participation = spec.participation()
        self._between: Weights | None = None
        self._took_s = 0.0
        self._first = self._t = 0
        self.marks = marks or Marks()
        self._turns = Turns(spec.turns_fd, spec.cores, sleep, self.marks)
        pacing = self._turns, sleep, self.marks
        self._training = LocalTraining(spec, layout, learner, *pacing)
        self.announced = PackedMask(0, b"")
        self._choice = ChannelChoice(spec.settings, spec.index, layout, w0)
        self._pruned_at = 0.0
        self._began = layout.full_mask()
        self._before: Weights | None = None
        self._regrown: Mask | None = None
        self._votes = np.ones(layout.n_bits)
        self._affinity: grouping.Affinity | peer_choice.Trials = {}
        self._norms: dict[str, float] = {}
        self._loss: float | None = None
        final_moment = "after_aggregation" if neighbors else "after_training"
        self._evaluations = Evaluations(spec.settings, final_moment)
        self._data = DataOrders(spec)

    @does(Activity.LOADING)
    def begin(self) -> tuple[Weights, int]:
        """Return the weights and the round to begin with: W0 and 0 at the start of a run.

        A peer that joins late begins in the round that its neighbors have reached. A process that
        follows another one begins with the state that the one before left, or with a neighbor's
        weights (beginning.py).
        """
        start = begin(self.spec, self._incarnation, self.layout, self._neighbors_if_any)
        self.rounds_done = start.round_index
        if start.progress:
            self.prune_ratio = start.progress.prune_ratio
            self._affinity = dict(start.progress.affinity)
            self._evaluations.validations = list(start.progress.validations)
            self._evaluations.data_since = start.progress.data_since
        self.memory = dict(start.memory)
        self._report(RoundsBegun(start.round_index))
        if self._incarnation.late or self._incarnation.number:
            led_to = start.progress.rounds_done if start.progress else 0
            self._journal.write(
                records.Resumed(led_to, start.round_index, start.source, start.donor)
            )
        first = self._participation.next_round(self.peer_id, start.round_index)
        self._first = first if start.weights is None else -1
        weights = start.weights or self._initial()
        self._keep_between(weights)
        return weights, start.round_index

    def rounds_from(self, first: int) -> Iterator[int]:
        """Yield the rounds in which this peer takes part; let the others pass.

        A peer that fell behind (it was paused or cut off) skips to the round that half of its
        neighbors have reached; otherwise its masks would stay stale.
        """
        t = first
        while t < self.rounds:
            self._t = t
            self.marks.begin_round(t)
            if self._participation.takes_part(self.peer_id, t):
                self._between, began_s = None, time.monotonic()
                yield t
                self._took_s = time.monotonic() - began_s
            else:
                self._sit_out(t)
            reached = self._neighbors_if_any.reached() if self._neighbors_if_any else 0
            after, t = t, max(t + 1, min(reached, self.rounds - 1))
            if t > after + 1:
                self._journal.write(records.CaughtUp(after, t))

    def _sit_out(self, t: int) -> None:
        """Let a round pass in which this peer does not take part.

        It is over when the masks of those that do are here, so that this peer keeps in step with
        them. Faults that are planned for its phases happen all the same.
        """
        assert self._between is not None, "a round that no other precedes has all peers"
        for phase in _BEFORE_MASKS:
            self._wait_at_barrier(t, phase)
        began_s = time.monotonic()
        if self._neighbors_if_any:
            self._neighbors_if_any.hear(t, idle_s=self._took_s)
        self._journal.write(records.SatOut(t, round(time.monotonic() - began_s, 6)))
        for phase in _AFTER_MASKS:
            self._wait_at_barrier(t, phase)
        self.end_round(t, self._between)

    def train_and_regrow(self, t: int, weights: Weights) -> Weights:
        """Train (step 7), after an exchange of weak channels for dead ones, if the run says so.

        Not in the paper: docs/decisions/0052-a-mask-that-adapts.md.

        Returns:
            The trained weights and the channels that made room: more than `weights` has. `prune`
            decides which stay.
        """
        if not self.spec.settings.regrow_share or self._traits.dense:
            return self.train(t, weights)
        trial = self._choice.swap_in(t, weights)
        self._regrown = trial.mask & ~weights.mask
        return self._choice.put_back(weights, self.train(t, trial))

    @does(Activity.TRAINING)
    def train(self, t: int, weights: Weights, in_turn: Sequence[Collection[str]] = ()) -> Weights:
        """Train on this peer's own data, at its device's speed (step 7).

        Args:
            in_turn: names of parameters, part after part: each part is trained for the local
                epochs, with new momentum, while all others keep their values. () = all at once.

        Raises:
            ConfigError: a part is empty, or names no parameter of the network.
        """
        self._training.check_parts(in_turn)
        self._wait_at_barrier(t, "train")
        changed = self._load_data(t)
        s = self.spec.settings
        self._began = weights.mask
        self._before = weights if s.similarity_by is SimilarityBy.GAMMA_CHANGE else None
        trained, did = self._training.fit(t, weights, *self._pace_of_round(t), in_turn)
        self._journal.write(records.Trained(round=t, **did))
        self._loss = did["loss"]
        if changed and did["steps"]:
            self._report(changed)
        return trained

    def _pace_of_round(self, t: int) -> tuple[int, float]:
        """Return the local epochs of round `t`, and its learning rate."""
        s = self.spec.settings
        epochs = s.warmup_epochs if t == self._first else s.epochs
        return epochs, s.learning_rate * s.lr_decay**t

    def _load_data(self, t: int) -> TrainedOnNewData | None:
        """Load other images if the plan has them; return what is to be reported once trained."""
        change = self._data.due(t)
        if change is None:
            return None
        self.learner.load(rows_of(change))
        self._evaluations.begin_anew(change.round)
        new = self._data.note_loaded(change)
        self._journal.write(
            records.DataChanged(
                round=t,
                since=change.round,
                fault=change.fault,
                group=change.group,
                train=len(change.train),
                validation=len(change.validation),
                test=len(change.test),
                new=new,
            )
        )
        return TrainedOnNewData(t, change.fault, change.group, len(change.train), new)

    @does(Activity.PRUNING)
    def prune(self, t: int, trained: Weights) -> Weights:
        """Return the slim weights at this device's prune ratio (step 8)."""
        self._pruned_at = self.prune_ratio
        own = self._choice.of_trained(trained, self.prune_ratio)
        if self._regrown is not None:
            tried, stayed = self._regrown, self._regrown & own.mask
            self._journal.write(records.Regrown(t, int(tried.sum()), int(stayed.sum())))
            self._regrown = None
        return own

    @does(Activity.ANNOUNCING)
    def announce(self, t: int, trained: Weights, own: Weights) -> None:
        """Send the similarity mask to all neighbors and offer the slim weights (step 1).

        With --similarity-by gamma-of-w0, W0 is trained first, if that is due.
        """
        scores = self._scores_to_compare(t, trained)
        self._wait_at_barrier(t, "announce")
        chosen = self._choice.to_announce(scores, self.spec.similarity_ratio)
        chosen = self._noisy(t, chosen)
        self._announce(t, PackedMask.pack(chosen), own.mask, own)

    def _noisy(self, t: int, chosen: Mask) -> Mask:
        """Return a mask with some bits flipped at random, if the run says so."""
        s = self.spec.settings
        if s.mask_noise is None:
            return chosen
        noisy = with_noise(chosen, s.mask_noise, noise_generator(s.seed, self.spec.index, t))
        flipped = int((noisy != chosen).sum())
        self._journal.write(records.MaskNoised(t, s.mask_noise, flipped, chosen.size))
        return noisy

    def hear(self, t: int) -> dict[str, PackedMask]:
        """Return peer -> its mask of this round, this peer's own included (step 1)."""
        return {**self._neighbors.hear(t), self.peer_id: self.announced}

    @does(Activity.GROUPING)
    def find_group(self, t: int, masks: Mapping[str, PackedMask]) -> tuple[str, ...]:
        """Return this peer's group, this peer included, ascending (steps 2 and 3)."""
        s = self.spec.settings
        labels: dict[str, int] = {}
        if self._own_grouping:
            seeds = [s.seed, t]
            found = own_groups(
                self._own_grouping, str(s.grouping), masks, self.peer_id, self.spec.clusters, seeds
            )
            labels, group = found.labels, found.of(self.peer_id)
        elif s.grouping is Grouping.TOP_M:
            self._affinity = grouping.add_affinity(self._affinity, self.peer_id, masks)
            group = grouping.top_m(self._affinity, self.peer_id, masks, s.top_m)
        else:
            check_room_for_blas()
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
        """Return the weights of the group's other members; missing ones are absent (step 4).

        Args:
            whole: pull all that they offer, whatever the setting `pull` says.
        """
        self._wait_at_barrier(t, "pull")
        overlap = self.spec.settings.pull is PullPart.OVERLAP and not whole
        wanted = self._structure if overlap else None
        donors = [peer for peer in group if peer != self.peer_id]
        return self._neighbors.pull(t, donors, wanted)

    @does(Activity.AGGREGATING)
    def check_norms(
        self, t: int, own: Weights, pulled: Mapping[str, Weights]
    ) -> dict[str, Weights]:
        """Return `pulled` without the weights whose norm is an outlier; these are journalled.

        Not in the paper: docs/decisions/0019-defences.md.
        """
        ratios = norm_ratios(self.layout, own, pulled)
        out = outliers(ratios, self.spec.settings.norm_limit)
        for donor, times in sorted(out.items()):
            self._neighbors.reject(t, donor, "norm", f"{times:.4g} times the median norm")
        self._norms = {d: round(ratio, 4) for d, ratio in ratios.items() if d not in out}
        return {donor: weights for donor, weights in pulled.items() if donor not in out}

    @does(Activity.AGGREGATING)
    def average(self, members: Mapping[str, Weights]) -> tuple[Weights, Mask]:
        """Return W_G, in dense shapes, and the union of the members' masks (steps 5 and 6)."""
        if self.spec.settings.rank_by is RankBy.VOTES:
            self._votes = votes(members)
        return aggregate(self.layout, members, self.spec.settings.aggregation)

    @does(Activity.PRUNING)
    def prune_average(self, average: Weights, union: Mask) -> Weights:
        """Return what `average` returned, slim at this device's prune ratio (step 6)."""
        given = (average, union, self._votes, self._began)
        return self._choice.of_average(*given, self.prune_ratio)

    @does(Activity.RECALIBRATING)
    def recalibrate(self, weights: Weights) -> Weights:
        """Recompute the BN statistics of averaged weights on own data, if the run says so."""
        if not self.spec.settings.bn_recalibration:
            return weights
        if self.spec.settings.evaluate_before_recalibration:
            self._evaluate(self._t, "before_recalibration", weights)
        return self._recalibrated(weights)

    def _as_deployed(self, moment: str, weights: Weights) -> Weights:
        """Return a model as it is evaluated and deployed (decision 0055).

        The running statistics of training are a momentum average over batches of changing weights.
        """
        if moment == "after_aggregation" or not self.spec.settings.recalibrate_trained:
            return weights
        return self._recalibrated(weights)

    @does(Activity.RECALIBRATING)
    def _recalibrated(self, weights: Weights) -> Weights:
        with self._turns.turn():
            return self.learner.recalibrate(weights)

    @does(Activity.AGGREGATING)
    def note_aggregation(self, t: int, members: list[str], union: Mask, slim: Weights) -> None:
        """Journal which peers' weights were averaged, and into how many channels."""
        self._wait_at_barrier(t, "aggregate")
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
        """Evaluate a model on this peer's held-out images, in the rounds where that is due.

        Args:
            moment: `after_training`, `after_aggregation` or `after_fine_tuning`.
        """
        if not self._evaluations.is_due(t):
            return
        found = self._evaluate(t, moment, self._as_deployed(moment, weights))
        if found:
            self._evaluations.note(moment, found)

    @does(Activity.EVALUATING)
    def _evaluate(self, t: int, moment: str, weights: Weights) -> Accuracy | None:
        """Return and journal a model's accuracy; None in rounds in which that is not due."""
        if not self._evaluations.is_due(t):
            return None
        with self._turns.turn():
            found = self.learner.accuracy(weights)
        each_class = [*found.right], [*found.of]
        self._journal.write(records.Evaluated(t, moment, found.validation, found.test, *each_class))
        return found

    def guard_accuracy(self, t: int) -> None:
        """Lower the prune ratio by a step if accuracy has fallen too far below its best.

        It never falls below what the device's budget needs.
        """
        margin = self.spec.settings.accuracy_guard
        if margin is None or not self._evaluations.is_due(t) or t + 1 == self.rounds:
            return
        relaxed = max(self.spec.device.least_prune_ratio, round(self.prune_ratio - GRID_STEP, 2))
        if self._evaluations.has_fallen(margin) and relaxed < self.prune_ratio:
            self.prune_ratio = relaxed
            validations = self._evaluations.validations
            self._journal.write(records.GuardActed(t, validations[-1], max(validations), relaxed))

    def trains_union(self, t: int) -> bool:
        """Tell whether round `t` trains the union of the group's channels, not the slim model.

        Of a round that this peer sits out: whether the next one does in which it takes part.
        """
        s = self.spec.settings
        if s.prune_order is PruneOrder.AFTER_TRAINING:
            return True
        t = self._participation.next_round(self.peer_id, t)
        frozen = s.mask_by is not MaskBy.GAMMA  # no channel could return
        return not frozen and s.regrowth_every > 0 and t % s.regrowth_every == 0

    def converged(self) -> bool:
        """Tell whether this peer stops before its last round (Algorithm 1, "until").

        It does so only after a round that was evaluated, because it deploys by that evaluation.
        It tells its neighbors not to wait for it, and still answers pulls of its last weights.
        """
        if not self._evaluations.is_due(self.rounds_done - 1):
            return False
        done = self._evaluations.has_converged(self._loss)
        if done and self._neighbors_if_any and self.rounds_done < self.rounds:
            self._neighbors_if_any.leave(self.rounds_done)
        return done

    @does(Activity.SAVING)
    def end_round(self, t: int, weights: Weights) -> None:
        """Journal the traffic, save the state that the next round begins with, report the round.

        Args:
            weights: what the next round trains.
        """
        self.rounds_done = t + 1
        self._keep_between(weights)
        progress = Progress(
            rounds_done=t + 1,
            incarnation=self._incarnation.number,
            prune_ratio=self.prune_ratio,
            affinity=self._affinity,
            validations=self._evaluations.validations,
            layout=self.layout.digest.hex(),
            data_since=self._evaluations.data_since,
        )
        self._keep_state(t, weights, progress)
        if self._neighbors_if_any:
            self._neighbors_if_any.write_traffic(t)
        tests = {moment: accuracy.test for moment, accuracy in self._evaluations.accuracy.items()}
        n_bytes = self._neighbors_if_any.bytes_out() if self._neighbors_if_any else 0
        self._write_resources(t)
        self._report(RoundDone(t, tests, n_bytes))
        self.marks.write_spans()

    def _keep_between(self, weights: Weights) -> None:
        """Keep what the next round trains at hand, for the states of rounds that are sat out."""
        self._between = None if self._participation.of_all else weights

    def _write_resources(self, t: int) -> None:
        network = self._neighbors_if_any
        sent, received = network.payload_bytes() if network else (0, 0)
        cpu_s = round(time.process_time(), 6)
        self._journal.write(records.Resources(t, cpu_s, self._memory_mib(), sent, received))

    def _keep_state(self, t: int, weights: Weights, progress: Progress) -> None:
        """Save the state; a peer that cannot write it continues without."""
        try:
            kept = self.spec.earlier_states, self.spec.sparse_states
            save_state(self.spec.state_path, weights, progress, self.memory, *kept)
        except OSError as error:
            reason = error.strerror or str(error)
            self._journal.write(records.StateNotWritten(t, reason))
            self._report(StateLost(t, reason))

    def deploy(self, candidates: Mapping[str, Weights]) -> None:
        """Choose the model to deploy: the candidate that is best on the validation images.

        Args:
            candidates: moment -> weights.

        Raises:
            ConfigError: a moment was not evaluated, or there is none.
        """
        unknown = [m for m in candidates if m not in self._evaluations.accuracy]
        if unknown or not candidates:
            right = f"me.deploy with moments that me.evaluate was given, not {unknown or 'none'}"
            raise ConfigError("--algorithm", "", str(self.spec.settings.algorithm), right)
        moment = self._evaluations.best(candidates)
        weights = self._as_deployed(moment, candidates[moment])
        accuracy = self._evaluations.accuracy[moment]
        self.deployment = Deployment(moment, self._pruned_at, weights, accuracy)

    def _initial(self) -> Weights:
        """Return what a run begins with: W0, dense unless the run prunes it first."""
        if not self.spec.settings.prune_w0 or self._traits.dense:
            return self._w0
        return self._choice.of_w0(self.prune_ratio)

    def _scores_to_compare(self, t: int, trained: Weights) -> Importance:
        """Return the scores that this round's similarity mask is made of (channel_choice.py)."""
        s, known = self.spec.settings, self.memory.get(_SCORES)
        if s.similarity_by is SimilarityBy.GAMMA_OF_W0:
            if known is not None and t % s.similarity_every:
                return np.asarray(known, np.float64)
            trained = self._probe(t, trained)
        scores = self._choice.scores_to_compare(self._before, trained)
        if s.similarity_by is SimilarityBy.GAMMA_OF_W0 or s.remembers:
            if known is not None:
                scores = s.remembers * np.asarray(known, np.float64) + scores
            self.memory[_SCORES] = scores
        return scores

    @does(Activity.TRAINING)
    def _probe(self, t: int, trained: Weights) -> Weights:
        """Return W0 trained on own data; in a peer's first round, `trained` is just that."""
        base = self._choice.w0_to_compare(self.spec.similarity_ratio)
        if t == self._first and (self._began == base.mask).all():
            return trained
        s = self.spec.settings
        probe, did = self._training.fit(t, base, s.similarity_epochs or s.epochs, s.learning_rate)
        self._journal.write(records.Probed(round=t, **did))
        return probe

    def _announce(self, t: int, announced: PackedMask, structure: Mask, offered: Weights) -> None:
        """Journal the masks, send `announced` to all neighbors and offer weights.

        Args:
            structure: of this peer's own model; `pull` may fetch what it keeps only.
        """
        self.announced, self._structure = announced, structure
        if not self._traits.dense:
            packed = PackedMask.pack(structure)
            self._journal.write(records.Masked(t, self.prune_ratio, packed.hex, announced.hex))
        self._neighbors.announce(t, announced, offered)

    def _wait_at_barrier(self, t: int, phase: Phase) -> None:
        """Wait for the launcher, if a fault is planned for this moment."""
        if (t, phase) in self.spec.barriers:
            self._report(AtBarrier(t, phase))
            self._await_release()

    @property
    def _neighbors(self) -> Neighbors:
        assert self._neighbors_if_any is not None, "this algorithm does not communicate"
        return self._neighbors_if_any
