"""What one directed link is like at a moment: the whole desired state, not a change to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cut = Literal["drop", "reject", "reset"]
"""How a link carries nothing: silently; with an RST for every segment; or, besides, with an RST at
once for the connections that there are."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """One direction of a link; as it is made, it is a link without any fault.

    Attributes:
        rate_mbit_s: 10**6 bits of Ethernet frames a second; None = no limit.
        delay_ms: added to every packet.
        jitter_ms: the delay varies by up to so much both ways, evenly; packets keep their order.
        loss: chance that a packet is lost, each for itself.
        cut: how it carries nothing; None = it carries.

    Raises:
        ValueError: out of bounds.
    """

    rate_mbit_s: float | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    cut: Cut | None = None

    def __post_init__(self) -> None:
        if self.rate_mbit_s is not None and not self.rate_mbit_s > 0:
            raise ValueError(f"rate_mbit_s = {self.rate_mbit_s}: expected more than 0, or None")
        if not (self.delay_ms >= 0 and self.jitter_ms >= 0):
            raise ValueError(f"delay {self.delay_ms} ms, jitter {self.jitter_ms} ms: below 0")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss = {self.loss}: expected 0 to 1")


CLEAR = LinkState()
