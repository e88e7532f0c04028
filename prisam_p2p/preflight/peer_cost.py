"""What one peer of a run costs, as the probe measured it (launch/probe.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class PeerCost(BaseModel):
    """One peer without its connections.

    Attributes:
        donors: neighbors that it pulled from in a round.
        trained, tested: its training and its test images.
        parameters, macs: of its slim model; other peers' costs are interpolated by them.
        held_bytes: most private memory at the borders of its phases: what it holds while it waits.
        peak_bytes: most private memory at any time, which is in training.
        page_table_bytes: of the kernel, for its private and its shared pages.
        start_s: CPU time until its first round.
        step_s: CPU time of a training step of the slim model, over all trainings of a round.
        dense_step_s: of a step of the dense model.
        round_s: CPU time of a round without its training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    donors: int = Field(ge=0)
    trained: int = Field(ge=0)
    tested: int = Field(ge=0)
    parameters: int = Field(ge=0)
    macs: int = Field(ge=0)
    held_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)
    page_table_bytes: int = Field(ge=0)
    start_s: float = Field(ge=0)
    step_s: float = Field(ge=0)
    dense_step_s: float = Field(ge=0)
    round_s: float = Field(ge=0)


@dataclass(frozen=True)
class PeerCosts:
    """What the devices with the smallest and with the largest model cost, one at least.

    Other devices are taken to lie on the line between them.
    """

    measured: Sequence[PeerCost]

    def memory_bytes(self, parameters: int) -> tuple[float, float]:
        """Return (held, peak) bytes of a device whose model has so many parameters."""
        held = _on_line([(each.parameters, each.held_bytes) for each in self.measured], parameters)
        peak = _on_line([(each.parameters, each.peak_bytes) for each in self.measured], parameters)
        return held, max(held, peak)

    def step_s(self, macs: int) -> float:
        """Return the CPU time of a training step of a model with so many MACs."""
        return _on_line([(each.macs, each.step_s) for each in self.measured], macs)

    def mean(self, of: Callable[[PeerCost], float]) -> float:
        """Return the mean of what `of` takes from each."""
        return sum(map(of, self.measured)) / len(self.measured)


def _on_line(points: Sequence[tuple[float, float]], x: float) -> float:
    """Return y at `x`, on the line through the outermost of `points`."""
    (x0, y0), (x1, y1) = min(points), max(points)
    return y1 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
