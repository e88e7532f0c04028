"""Faults of links. After Toxiproxy's toxics and Jepsen's partitions, done to packets."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from prisam_p2p.faults.fault_base import Fault, OnLinks, OnPeers
from prisam_p2p.faults.selector_forms import Selector, Sides
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told


class Cut(OnLinks):
    """No packet passes: dropped, refused (rejected), or open connections reset."""

    kind: Literal["cut"]
    how: Literal["drop", "reject", "reset"] = "drop"
    one_way: bool = False

    @model_validator(mode="after")
    def _has_a_direction(self) -> Self:
        if self.one_way and self.links.between is None and self.links.of is None:
            right = 'false: one way needs links.between or links.of; or write "p00->p01"'
            raise Misfit("one_way", True, right)
        return self


class Flap(OnLinks):
    """Cut (dropped) for the first `duty` of every period of `period_s` seconds."""

    kind: Literal["flap"]
    period_s: float = Field(0.5, gt=0)
    duty: float = Field(0.5, gt=0, lt=1)


class Shape(OnLinks):
    """A rate at most, delay and jitter on top, packets lost with probability `loss`."""

    kind: Literal["shape"]
    rate_mbit_s: float | None = Field(None, gt=0)
    delay_ms: float | None = Field(None, gt=0)
    jitter_ms: float | None = Field(None, gt=0)
    loss: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if (self.rate_mbit_s, self.delay_ms, self.jitter_ms, self.loss) == (None,) * 4:
            right = "a number; or delay_ms, jitter_ms or loss in its place"
            raise Misfit("rate_mbit_s", MISSING, right)
        return self


class Partition(Fault):
    """No packet passes between the sides; one way: none from a side to a later one."""

    kind: Literal["partition"]
    groups: Annotated[list[Selector], Field(min_length=2)] | None = None
    sides: Sides | None = None
    one_way: bool = False

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.groups is None and self.sides is None:
            right = "a list of two or more selectors; or sides = { data_groups = true }"
            raise Misfit("groups", MISSING, right)
        if self.groups is not None and self.sides is not None:
            raise Misfit("sides", Told("a table"), "no sides beside groups")
        return self


class Isolate(OnPeers):
    """No packet passes to or from each of the peers."""

    kind: Literal["isolate"]
