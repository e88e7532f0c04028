"""Faults of links, and what they do to a link. After Toxiproxy's toxics and Jepsen's partitions.

An effect maps the parameters that stand in a fault plan, and the seconds since the fault was
applied, to the state of a link that has this fault alone: one state, or CLEAR for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from prisam_p2p.control.message_rule import LONGEST_DELAY_MS
from prisam_p2p.faults.scenario.fault import Fault, OnLinks, OnPeers
from prisam_p2p.faults.scenario.selectors import Selector, Sides
from prisam_p2p.plan.link_properties import CLEAR, LinkState
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told


class CutFault(OnLinks):
    """No packet passes: it is dropped or rejected, or open connections are reset as well."""

    how: Literal["drop", "reject", "reset"] = "drop"
    one_way: bool = False

    @model_validator(mode="after")
    def _has_a_direction(self) -> Self:
        if self.one_way and self.links.between is None and self.links.of is None:
            right = 'false; one_way needs links.between or links.of, else write "p00->p01"'
            raise Misfit("one_way", True, right)
        return self


class FlapFault(OnLinks):
    """Packets are dropped for the first `duty` (a fraction) of each `period_s` seconds."""

    period_s: float = Field(0.5, gt=0)
    duty: float = Field(0.5, gt=0, lt=1)


class ShapeFault(OnLinks):
    """A rate limit, added delay and jitter, and packet loss with probability `loss`."""

    rate_mbit_s: float | None = Field(None, gt=0)
    delay_ms: float | None = Field(None, gt=0, le=LONGEST_DELAY_MS)
    jitter_ms: float | None = Field(None, gt=0, le=LONGEST_DELAY_MS)
    loss: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if (self.rate_mbit_s, self.delay_ms, self.jitter_ms, self.loss) == (None,) * 4:
            right = "a number; or delay_ms, jitter_ms or loss in its place"
            raise Misfit("rate_mbit_s", MISSING, right)
        return self


class PartitionFault(Fault):
    """No packet passes between the sides; `one_way`: none from a side to a later one."""

    groups: Annotated[list[Selector], Field(min_length=2)] | None = None
    sides: Sides | None = None
    one_way: bool = False

    @model_validator(mode="after")
    def _groups_or_sides(self) -> Self:
        if self.groups is None and self.sides is None:
            right = "a list of two or more selectors; or sides = { data_groups = true }"
            raise Misfit("groups", MISSING, right)
        if self.groups is not None and self.sides is not None:
            raise Misfit("sides", Told("a table"), "no sides beside groups")
        return self


class IsolateFault(OnPeers):
    """No packet passes to or from each of the peers."""


# -- effects -----------------------------------------------------------------------------

Parameters = Mapping[str, JsonValue]


def cut_effect(parameters: Parameters, since_s: float) -> LinkState:
    """Return the effect of `cut`."""
    return LinkState(cut=parameters["how"])  # type: ignore[arg-type]


def silence_effect(parameters: Parameters, since_s: float) -> LinkState:
    """Return the effect of `partition`, `isolate` and `host-cut`: every packet is dropped."""
    return LinkState(cut="drop")


def flap_effect(parameters: Parameters, since_s: float) -> LinkState:
    """Return the effect of `flap`, which is CLEAR between its cuts."""
    period_s, duty = (float(parameters[key]) for key in ("period_s", "duty"))  # type: ignore[arg-type]
    return LinkState(cut="drop") if since_s % period_s < duty * period_s else CLEAR


def shape_effect(parameters: Parameters, since_s: float) -> LinkState:
    """Return the effect of `shape`."""
    return LinkState(**parameters)  # type: ignore[arg-type]
