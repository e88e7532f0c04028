"""From a device's budget to its prune ratio (PRISAM: rho_i follows computation and storage)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

GRID_STEP = 0.05
GRID = tuple(round(i * GRID_STEP, 2) for i in range(20))
"""The prune ratios a budget may lead to: 0.00, 0.05, .. 0.95."""


@dataclass(frozen=True)
class Cost:
    """What a slim model costs: bytes as stored, multiply-accumulates of one inference."""

    parameters: int
    n_bytes: int
    macs: int


@dataclass(frozen=True)
class Budget:
    """What a device can hold and compute; None = no limit."""

    n_bytes: float | None = None
    macs: float | None = None

    def fits(self, cost: Cost) -> bool:
        """Tell whether `cost` is within every limit."""
        return (self.n_bytes is None or cost.n_bytes <= self.n_bytes) and (
            self.macs is None or cost.macs <= self.macs
        )


def smallest_ratio(budget: Budget, cost_at: Callable[[float], Cost]) -> float | None:
    """Return the smallest prune ratio on the grid whose COUNTED cost fits, or None."""
    return next((ratio for ratio in GRID if budget.fits(cost_at(ratio))), None)
