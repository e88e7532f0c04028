"""Faults of processes, their memory and storage. After Jepsen's nemeses: kill, pause, disk."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from prisam_p2p.control.spec import Source
from prisam_p2p.faults.scenario.fault import OnPeers
from prisam_p2p.plan.toml_file import Misfit, Told


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
