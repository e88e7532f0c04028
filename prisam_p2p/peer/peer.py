"""The steps of Algorithm 1 on one peer, in the order in which loop.py calls them.

Each step does one thing and journals it. Evaluation: evaluating_peer.py. How rounds begin and end:
rounds.py. The steps that only baselines take: baseline_peer.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from prisam_p2p.control.activity import Activity
from prisam_p2p.control.messages import TrainedOnNewData
from prisam_p2p.core import grouping
from prisam_p2p.core.aggregation import aggregate, votes
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.core.defence import norm_ratios, outliers
from prisam_p2p.core.layout import Mask, Weights
from prisam_p2p.core.mask_noise import noise_generator, with_noise
from prisam_p2p.core.masks import Importance
from prisam_p2p.measure import records
from prisam_p2p.peer.data_orders import rows_of
from prisam_p2p.peer.evaluating_peer import EvaluatingPeer
from prisam_p2p.peer.marks import does
from prisam_p2p.peer.own_grouping import own_groups
from prisam_p2p.settings import Grouping, MaskBy, PruneOrder, PullPart, RankBy, SimilarityBy
from prisam_p2p.system.process_limits import check_room_for_blas

_SCORES = "similarity.scores"
"""In a peer's memory: what its announced masks are made of."""


class Peer(EvaluatingPeer):
    """A peer with the steps of Algorithm 1."""

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
