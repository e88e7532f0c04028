"""How a peer evaluates its models; by that it prunes less, stops, and chooses what to deploy."""

from __future__ import annotations

from collections.abc import Mapping

from prisam_p2p.control.activity import Activity
from prisam_p2p.core.budget import GRID_STEP
from prisam_p2p.core.layout import Weights
from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.learner import Accuracy
from prisam_p2p.measure import records
from prisam_p2p.peer.evaluation import Deployment
from prisam_p2p.peer.marks import does
from prisam_p2p.peer.rounds import PeerInRounds


class EvaluatingPeer(PeerInRounds):
    """A peer that evaluates its models on its own held-out images."""

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

    @does(Activity.RECALIBRATING)
    def recalibrate(self, weights: Weights) -> Weights:
        """Recompute the BN statistics of averaged weights on own data, if the run says so."""
        if not self.spec.settings.bn_recalibration:
            return weights
        if self.spec.settings.evaluate_before_recalibration:
            self._evaluate(self._t, "before_recalibration", weights)
        return self._recalibrated(weights)

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
