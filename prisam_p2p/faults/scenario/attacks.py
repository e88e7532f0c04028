"""Attacks: a Byzantine peer takes the place of a real one, at its trigger or from the start.

The attacks are those of the literature on Byzantine learning: scaled, sign-flipped and copied
updates. What each one does stands in the table of faults/attacks.py.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from prisam_p2p.faults.scenario.fault import OnPeers
from prisam_p2p.plan.toml_file import Misfit


class AttackFault(OnPeers):
    """An attack without parameters."""

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
