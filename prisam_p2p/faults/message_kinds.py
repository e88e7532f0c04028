"""Faults of messages on their way, and of what a peer says: it is replaced by a rude one.

The lies are those of the literature on Byzantine learning: scaled, sign-flipped and copied updates.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from prisam_p2p.faults.fault_base import OnPeers
from prisam_p2p.plan.toml_file import Misfit


class OnMessages(OnPeers):
    """To what the peers send of one kind of message, each with `probability`, `limit` at most."""

    message: Literal["mask", "request", "weights"]
    probability: float = Field(1.0, gt=0, le=1)
    limit: int | None = Field(None, ge=1)


class Tamper(OnMessages):
    """Lost, sent twice, sent after its successor, held back until healed, or with a bit flipped."""

    kind: Literal["drop", "duplicate", "reorder", "hold", "corrupt"]


class Delay(OnMessages):
    """Sent `ms` milliseconds late."""

    kind: Literal["delay"]
    ms: float = Field(gt=0)


class Lie(OnPeers):
    """A rude peer takes the peer's place: at its trigger, without one from round 0 on."""

    kind: Literal[
        "lying-mask", "copied-mask", "stale-mask", "wrong-shape", "nan", "sign-flipped",
        "refusal", "slow-serving", "spoofed", "other-version",
    ]  # fmt: skip
    FOR_GOOD = True
    FROM_THE_START = True


class Scaled(OnPeers):
    """A rude peer whose weights are `factor` times what it trained."""

    kind: Literal["scaled"]
    factor: float = Field(10.0)
    FOR_GOOD = True
    FROM_THE_START = True

    @model_validator(mode="after")
    def _is_a_lie(self) -> Self:
        if self.factor == 1:
            raise Misfit("factor", self.factor, "another number: times 1 is the truth")
        return self
