"""A peer's evaluations on its held-out images: they decide what it deploys, and when it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prisam_p2p.core.layout import Weights
from prisam_p2p.learn.learner import Accuracy
from prisam_p2p.settings import RunSettings


@dataclass(frozen=True)
class Deployment:
    """The model that a device ends with, and the moment of the last round that it is from."""

    moment: str
    prune_ratio: float
    weights: Weights
    accuracy: Accuracy


class Evaluations:
    """A peer's evaluations so far.

    Args:
        final_moment: the moment that ends a round; `validations` holds its accuracies.

    Attributes:
        accuracy: moment -> its latest accuracy.
        validations: validation accuracy at the end of each evaluated round since `data_since`,
            those of earlier processes included.
        data_since: the round from which the peer has its data. Accuracies on other data are
            forgotten: they cannot be compared.
    """

    def __init__(self, settings: RunSettings, final_moment: str) -> None:
        self._settings, self._final_moment = settings, final_moment
        self.accuracy: dict[str, Accuracy] = {}
        self.validations: list[float] = []
        self.data_since = 0

    def begin_anew(self, data_since: int) -> None:
        """Forget all evaluations, unless they are of the data that the peer has now."""
        if data_since != self.data_since:
            self.data_since = data_since
            self.accuracy.clear()
            self.validations.clear()

    def is_due(self, t: int) -> bool:
        """Tell whether models are evaluated in round `t`."""
        s = self._settings
        return (t + 1) % s.evaluate_every == 0 or t + 1 == s.rounds

    def note(self, moment: str, accuracy: Accuracy) -> None:
        """Remember an evaluation."""
        self.accuracy[moment] = accuracy
        if moment == self._final_moment:
            self.validations.append(accuracy.validation)

    def has_fallen(self, margin: float) -> bool:
        """Tell whether validation accuracy is more than `margin` below its best."""
        return self.validations[-1] < max(self.validations) - margin

    def has_converged(self, loss: float | None) -> bool:
        """Tell whether the training loss reached its target, or validations stopped rising."""
        s = self._settings
        loss_reached = s.target_loss is not None and (loss is not None and loss <= s.target_loss)
        stale = len(self.validations) - 1 - self.validations.index(max(self.validations))
        return loss_reached or (s.patience is not None and stale >= s.patience)

    def best(self, candidates: Mapping[str, Weights]) -> str:
        """Return the moment whose model is best on the validation images; ties go to the last.

        One rule for every algorithm: docs/decisions/0006-deployment-rule.md.
        """
        return max(reversed(list(candidates)), key=lambda m: self.accuracy[m].validation)
