"""Faults of whole hosts, in a run on several: a host goes down, or is cut off from the others."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from prisam_p2p.faults.scenario.fault import Fault
from prisam_p2p.faults.scenario.selectors import HostSelector
from prisam_p2p.plan.toml_file import Misfit, Told


class OnHosts(Fault):
    """A fault that hits hosts, with all peers that live there."""

    hosts: HostSelector


class HostDownFault(OnHosts):
    """The agent of the host and all its peers end at once, and say nothing."""

    FOR_GOOD = True

    @model_validator(mode="after")
    def _stays_down(self) -> Self:
        if self.heal is not None:
            right = "none: a host stays down; --on-host-loss restart starts its peers elsewhere"
            raise Misfit("heal", Told("a table"), right)
        if self.at is not None and self.at.event is not None:
            right = "phase, time_s or after: a transfer concerns a peer, not its host"
            raise Misfit("at.event", self.at.event, right)
        return self


class HostCutFault(OnHosts):
    """Nothing passes between a peer of the host and one of another; `one_way`: nothing leaves."""

    one_way: bool = False
