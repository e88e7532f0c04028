"""A rule for messages between peers: which ones it is about, and what is done with them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pydantic import ConfigDict

Way = Literal["out", "in"]
Stream = tuple[Way, str, str]
"""Direction, neighbor, and what the messages carry (mask, relay, request, weights, hello,
control)."""

Action = Literal["drop", "delay", "duplicate", "reorder", "hold", "corrupt"]
LONGEST_DELAY_MS = 600_000.0


@dataclass(frozen=True)
class Rule:
    """Matches messages, and says what is done to them.

    Attributes:
        direction: of the peer that has the rule.
        neighbors: the other ends; None = all.
        message: mask, request or weights, as the ledger counts; None = every message.
        delay_ms, jitter_ms: `delay` only; the delay is uniform in delay_ms +- jitter_ms.
        probability: of acting, for each message.
        limit: the most messages that it acts on; None = no limit.

    Raises:
        ValueError: a value is out of its range, or values contradict each other.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )

    id: str
    action: Action
    direction: Literal["out", "in", "both"] = "both"
    neighbors: frozenset[str] | None = None
    message: Literal["mask", "request", "weights"] | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    probability: float = 1.0
    limit: int | None = None

    def __post_init__(self) -> None:
        _require(bool(self.id), "a rule needs an id")
        _require(self.action in get_args(Action), f"action {self.action!r}")
        _require(self.direction in ("out", "in", "both"), f"direction {self.direction!r}")
        _require(self.message in (None, "mask", "request", "weights"), f"message {self.message!r}")
        _require(0 < self.probability <= 1, f"probability {self.probability}")
        _require(self.limit is None or self.limit >= 1, f"limit {self.limit}")
        _require(0 <= self.delay_ms <= LONGEST_DELAY_MS, f"delay {self.delay_ms} ms")
        _require(0 <= self.jitter_ms <= LONGEST_DELAY_MS, f"jitter {self.jitter_ms} ms")
        has_delay = self.delay_ms + self.jitter_ms > 0
        _require(has_delay or self.action != "delay", "`delay` needs delay_ms or jitter_ms")
        _require(not has_delay or self.action == "delay", f"delay or jitter of {self.action!r}")

    def matches(self, stream: Stream) -> bool:
        """Tell whether this rule matches the messages of a stream."""
        way, neighbor, topic = stream
        return (
            self.direction in (way, "both")
            and self.message in (topic, None)
            and (self.neighbors is None or neighbor in self.neighbors)
        )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
