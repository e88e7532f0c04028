"""A rule about messages on their way: which, and what is done with them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Way = Literal["out", "in"]
Stream = tuple[Way, str, str]
"""Direction, neighbor, and what the messages carry (mask, request, weights, hello, control)."""

Action = Literal["drop", "delay", "duplicate", "reorder", "hold", "corrupt"]
_MOST_MS = 600_000.0


_TYPES: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "action": str,
    "direction": str,
    "neighbors": list,
    "message": str,
    "delay_ms": (int, float),
    "jitter_ms": (int, float),
    "probability": (int, float),
    "limit": int,
}


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
        _require(0 <= self.delay_ms <= _MOST_MS, f"delay {self.delay_ms} ms")
        _require(0 <= self.jitter_ms <= _MOST_MS, f"jitter {self.jitter_ms} ms")
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


def rule_from(given: Mapping[str, Any]) -> Rule:
    """Return the rule in a JSON object with the names of `Rule`'s fields.

    Raises:
        ValueError: a field is unknown, has the wrong type or is out of its range.
    """
    unknown = given.keys() - {each.name for each in fields(Rule)}
    _require(not unknown, f"{', '.join(sorted(unknown))}: no field of a rule")
    for name, types in _TYPES.items():
        value = given.get(name)
        fits = isinstance(value, types) and not isinstance(value, bool)
        _require(fits or (value is None and name not in ("id", "action")), f"{name} {value!r}")
    values = {name: value for name, value in given.items() if value is not None}
    if "neighbors" in values:
        names = values["neighbors"]
        _require(all(isinstance(name, str) for name in names), f"neighbors {names!r}")
        values["neighbors"] = frozenset(names)
    return Rule(**values)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
