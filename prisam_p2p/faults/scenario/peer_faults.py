"""Faults of peers: of their processes, memory and storage, of their messages, and attacks.

Those of processes are Jepsen's nemeses: kill, pause, disk. The attacks are those of the literature
on Byzantine learning: scaled, sign-flipped and copied updates. What each one does stands in
faults/attacks.py.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from prisam_p2p.control.message_rule import LONGEST_DELAY_MS
from prisam_p2p.control.spec import Source
from prisam_p2p.faults.scenario.fault import OnPeers
from prisam_p2p.plan.toml_file import Misfit, Told

# -- processes -------------------------------------------------------------------------


class EndFault(OnPeers):
    """The process ends; healed, the peer starts again with the weights that `from` names."""

    source: Source = Field("state", alias="from")
    FOR_GOOD = True

    @model_validator(mode="after")
    def _source_needs_heal(self) -> Self:
        if self.heal is None and "source" in self.model_fields_set:
            raise Misfit("from", self.source, "no `from` without heal: the peer does not restart")
        return self


class PauseFault(OnPeers):
    """The process is suspended until it is healed."""


class RestartFault(OnPeers):
    """The process ends and starts again after `down_s` seconds, or after `heal.rounds`."""

    source: Source = Field("state", alias="from")
    down_s: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _one_way_back(self) -> Self:
        if self.heal is None:
            return self
        if self.heal.rounds is None:
            right = "{ rounds = .. }, or down_s in place of heal"
            raise Misfit("heal", Told("no rounds"), right)
        if "down_s" in self.model_fields_set:
            raise Misfit("down_s", self.down_s, "none beside heal.rounds")
        return self

    @property
    def heals_after_s(self) -> float | None:
        """See Fault."""
        return self.down_s if self.heal is None else super().heals_after_s


class JoinFault(OnPeers):
    """The peer is absent from the start and joins at the trigger."""

    FOR_GOOD = True

    @model_validator(mode="after")
    def _joins_once(self) -> Self:
        if self.every is not None:
            raise Misfit("every", Told("a table"), "none: a peer joins once")
        if self.heal is not None:
            raise Misfit("heal", Told("a table"), "none: a peer that joined stays")
        if self.at is not None and self.at.event is not None:
            right = "phase, time_s or after: joins need a round or time trigger"
            raise Misfit("at.event", self.at.event, right)
        return self


class SlowFault(OnPeers):
    """The process runs for this fraction of the time."""

    factor: float = Field(0.5, gt=0, lt=1)


class MemoryFault(OnPeers):
    """The process may allocate this many MiB more than it has when the fault is applied."""

    mib: int = Field(64, ge=1)


class DiskFault(OnPeers):
    """The peer's checkpoint cannot be written: no space is left."""


# -- messages --------------------------------------------------------------------------


class MessageFault(OnPeers):
    """Applies to messages that the peers send: lost, duplicated, reordered, held or damaged.

    Attributes:
        message: what the messages carry.
        probability: of being hit, for each message.
        limit: the most messages that are hit; None = no limit.
    """

    message: Literal["mask", "request", "weights"]
    probability: float = Field(1.0, gt=0, le=1)
    limit: int | None = Field(None, ge=1)


class DelayFault(MessageFault):
    """The messages are sent `ms` milliseconds late."""

    ms: float = Field(gt=0, le=LONGEST_DELAY_MS)


# -- attacks ---------------------------------------------------------------------------


class AttackFault(OnPeers):
    """An attack without parameters: the peer is Byzantine from its trigger or from the start on."""

    FOR_GOOD = True
    FROM_THE_START = True


class ScaledFault(AttackFault):
    """The peer offers `factor` times the parameters that it trained."""

    factor: float = Field(10.0)

    @model_validator(mode="after")
    def _is_an_attack(self) -> Self:
        if self.factor == 1:
            raise Misfit("factor", self.factor, "a factor other than 1")
        return self
