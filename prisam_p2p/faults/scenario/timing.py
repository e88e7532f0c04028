"""When a fault is applied, how often, and when it heals: the tables `at`, `every` and `heal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prisam_p2p.control.spec import Phase
from prisam_p2p.plan.toml_file import MISSING, Misfit

PHASES: tuple[Phase, ...] = get_args(Phase)
"""The phases of a round, in order."""
Edge = Literal["applied", "healed"]


class ScenarioTable(BaseModel):
    """A table of a scenario: it refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def _check_one_of(self, ways: Mapping[str, tuple[str, ...]], right: str) -> str:
        """Return which key of `ways` is given.

        Args:
            ways: key -> further keys that may stand beside it.
            right: what to give, for the error where no key is.

        Raises:
            Misfit: no key, two keys, or a further key of another one is given.
        """
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


class At(ScenarioTable):
    """A trigger: a phase of a round, a time, a transfer, or another fault.

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
    def _one_trigger(self) -> Self:
        phases = ", ".join(PHASES)
        ways = {
            "phase": ("round",),
            "time_s": (),
            "event": ("share", "round"),
            "after": ("edge", "delay_s"),
        }
        way = self._check_one_of(ways, f"one of {phases}; or time_s, event or after in its place")
        if way == "event":
            self._needs("share", "a share of the transfer, in (0, 1]")
        if way == "after":
            self._needs("edge", f"one of {', '.join(get_args(Edge))}")
        return self


class Every(ScenarioTable):
    """A repetition: every `rounds` rounds, or with gaps of `seconds` on average.

    `until` and `until_s` are included; without `until`, to the last round.
    """

    rounds: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    from_: int | None = Field(None, alias="from", ge=0)
    until: int | None = Field(None, ge=0)
    distribution: Literal["fixed", "exponential", "uniform"] | None = None
    until_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_repetition(self) -> Self:
        ways = {"rounds": ("from_", "until"), "seconds": ("distribution", "until_s")}
        if self._check_one_of(ways, "a number of rounds; or seconds in its place") == "seconds":
            self._needs("until_s", "the second of the last occurrence, at most")
        elif self.until is not None and self.until < (self.from_ or 0):
            raise Misfit(
                "until", self.until, f"a round of at least {self.from_ or 0}, where it starts"
            )
        return self


class Heal(ScenarioTable):
    """The heal: rounds or seconds after the application, or never (at the end of the run)."""

    rounds: int | None = Field(None, ge=1)
    after_s: float | None = Field(None, gt=0)
    never: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_heal(self) -> Self:
        ways: dict[str, tuple[str, ...]] = {"rounds": (), "after_s": (), "never": ()}
        self._check_one_of(ways, "a number of rounds; or after_s or never in its place")
        return self
