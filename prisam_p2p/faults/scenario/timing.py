"""When a fault comes, how often, and when it goes: the tables `at`, `every` and `heal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prisam_p2p.control.spec import Phase
from prisam_p2p.plan.toml_file import MISSING, Misfit

PHASES: tuple[Phase, ...] = get_args(Phase)
"""The phases of a round, in order; a trigger is the beginning of one."""
Edge = Literal["applied", "healed"]


class Table(BaseModel):
    """A table of a scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def _one_way(self, ways: Mapping[str, tuple[str, ...]], right: str) -> str:
        """Return which of `ways` is taken; refuse none, two, and what belongs to another."""
        given = [name for name in _given(self) if name in ways]
        if not given:
            raise Misfit(next(iter(ways)), MISSING, right)
        if len(given) > 1:
            raise Misfit(given[1], getattr(self, given[1]), f"no {given[1]} beside {given[0]}")
        for name in _given(self):
            if name != given[0] and name not in ways[given[0]]:
                raise Misfit(_key(self, name), getattr(self, name), f"none beside {given[0]}")
        return given[0]

    def _needs(self, name: str, right: str) -> None:
        if getattr(self, name) is None:
            raise Misfit(_key(self, name), MISSING, right)


def _given(table: BaseModel) -> list[str]:
    """Return the fields that are set, in the order of their declaration."""
    return [name for name in type(table).model_fields if getattr(table, name) is not None]


def _key(table: BaseModel, name: str) -> str:
    return type(table).model_fields[name].alias or name


class At(Table):
    """A moment: of a round, of the clock, of a transfer, or of another fault's life.

    Rounds count from 0; times are seconds after the rounds began; `share` is of a transfer's bytes.
    """

    phase: Phase | None = None
    time_s: float | None = Field(None, gt=0)
    event: Literal["transfer"] | None = None
    after: str | None = None
    round: int | None = Field(None, ge=0)
    share: float | None = Field(None, gt=0, le=1)
    edge: Edge | None = None
    delay_s: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        phases = ", ".join(PHASES)
        ways = {
            "phase": ("round",),
            "time_s": (),
            "event": ("share", "round"),
            "after": ("edge", "delay_s"),
        }
        way = self._one_way(ways, f"one of {phases}; or time_s, event or after in its place")
        if way == "event":
            self._needs("share", "a share of the transfer, in (0, 1]")
        if way == "after":
            self._needs("edge", f"one of {', '.join(get_args(Edge))}")
        return self


class Every(Table):
    """Again and again: every so many rounds, or with gaps of `seconds` on average.

    `until` and `until_s` are included; without `until`, to the last round.
    """

    rounds: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    from_: int | None = Field(None, alias="from", ge=0)
    until: int | None = Field(None, ge=0)
    distribution: Literal["fixed", "exponential", "uniform"] | None = None
    until_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_rhythm(self) -> Self:
        ways = {"rounds": ("from_", "until"), "seconds": ("distribution", "until_s")}
        if self._one_way(ways, "a number of rounds; or seconds in its place") == "seconds":
            self._needs("until_s", "the second of the last occurrence, at most")
        elif self.until is not None and self.until < (self.from_ or 0):
            raise Misfit(
                "until", self.until, f"a round of at least {self.from_ or 0}, where it starts"
            )
        return self


class Heal(Table):
    """The end: so many rounds or seconds after the beginning, or never (until the run ends)."""

    rounds: int | None = Field(None, ge=1)
    after_s: float | None = Field(None, gt=0)
    never: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        ways: dict[str, tuple[str, ...]] = {"rounds": (), "after_s": (), "never": ()}
        self._one_way(ways, "a number of rounds; or after_s or never in its place")
        return self
