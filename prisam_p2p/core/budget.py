"""Choose a device's prune ratio from its budget (PRISAM: rho_i follows computation and storage)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

GRID_STEP = 0.05
GRID = tuple(round(i * GRID_STEP, 2) for i in range(20))
"""The prune ratios to choose from: 0.00, 0.05, .. 0.95."""


@dataclass(frozen=True)
class Cost:
    """What a slim model costs.

    Attributes:
        parameters: trainable parameters.
        n_bytes: size as stored.
        macs: multiply-accumulates of one inference.
    """

    parameters: int
    n_bytes: int
    macs: int


@dataclass(frozen=True)
class Budget:
    """Limits of a device: bytes of the stored model and MACs of one inference; None = no limit."""

    n_bytes: float | None = None
    macs: float | None = None

    def fits(self, cost: Cost) -> bool:
        """Tell whether `cost` is within every limit."""
        return (self.n_bytes is None or cost.n_bytes <= self.n_bytes) and (
            self.macs is None or cost.macs <= self.macs
        )


def smallest_ratio(budget: Budget, cost_at: Callable[[float], Cost]) -> float | None:
    """Return the smallest prune ratio of GRID whose cost fits the budget, None if none does.

    Args:
        cost_at: prune ratio -> cost, counted on the slim model rather than estimated from the
            ratio. The cost need not fall with every step of the ratio.
    """
    return next((ratio for ratio in GRID if budget.fits(cost_at(ratio))), None)
