"""drift: peers take data of another data group. replace: other devices take their places."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from prisam_p2p.faults.scenario.fault import OnPeers
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told

_TO = 'the number of a data group, or "next"'


def _group_or_next(value: object) -> object:
    if value == "next" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise Misfit("", value, _TO)


def _group_same_or_next(value: object) -> object:
    try:
        return value if value == "same" else _group_or_next(value)
    except Misfit:
        raise Misfit("", value, 'the number of a data group, "same" or "next"') from None


class _OfRound(OnPeers):
    """It begins with a round that is known before the run: the same plan gives the same images."""

    FOR_GOOD = True

    @model_validator(mode="after")
    def _begins_with_a_round(self) -> Self:
        if self.at is None or self.at.phase is None:
            right = 'phase = "train", and a round, there or in every: data change with a round'
            raise Misfit("at", MISSING if self.at is None else Told("no phase"), right)
        if self.at.phase != "train":
            raise Misfit("at.phase", self.at.phase, "train: a round begins with its training")
        return self

    @model_validator(mode="after")
    def _is_the_same_anywhere(self) -> Self:
        if self.peers.host is not None:
            right = "no host: what data a peer has does not depend on where it lives"
            raise Misfit("peers.host", Told("a host"), right)
        return self


class DriftFault(_OfRound):
    """The peer trains on, validates on and is tested on images of another data group.

    Attributes:
        to: the group; "next" is the one after the peer's, and after the last one the first.
        over_rounds: the images are replaced in as many steps, one a round; back they go at once.
    """

    to: Annotated[int | Literal["next"], BeforeValidator(_group_or_next)]
    over_rounds: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _heals_by_rounds(self) -> Self:
        if self.ending.after_s is not None:
            right = "{ rounds = .. }, or none: data change with a round"
            raise Misfit("heal.after_s", self.ending.after_s, right)
        rounds = self.ending.rounds
        if rounds is not None and rounds < self.over_rounds:
            right = f"at least over_rounds, {self.over_rounds}: the steps come first"
            raise Misfit("heal.rounds", rounds, right)
        return self


class ReplaceFault(_OfRound):
    """The device leaves for good, and a new one with images of its own takes its place.

    Attributes:
        to: the new device's data group; "same" is that of the one that leaves.
    """

    to: Annotated[int | Literal["same", "next"], BeforeValidator(_group_same_or_next)] = "same"

    @model_validator(mode="after")
    def _is_for_good(self) -> Self:
        if self.heal is not None:
            raise Misfit("heal", Told("a table"), "none: a device that left does not come back")
        return self
