"""What every fault of a scenario has: an id, a kind, a trigger, a repetition, a heal, targets."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, JsonValue, model_validator

from prisam_p2p.faults.scenario.selectors import LinkSelector, Selector
from prisam_p2p.faults.scenario.timing import At, Every, Heal, ScenarioTable
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told

FAULT_ID = r"^[a-z0-9_-]{1,64}$"


class Fault(ScenarioTable):
    """A table [[fault]].

    Attributes:
        FOR_GOOD: without `heal` it never heals; faults of other models heal after one round.
        FROM_THE_START: it needs no trigger.
        kind: a row of faults/kinds.py, which names the model.
    """

    FOR_GOOD: ClassVar[bool] = False
    FROM_THE_START: ClassVar[bool] = False

    id: str = Field(pattern=FAULT_ID)
    kind: str
    at: At | None = None
    every: Every | None = None
    heal: Heal | None = None

    @model_validator(mode="after")
    def _trigger_fits_repetition(self) -> Self:
        if self.every is None:
            self._check_single_trigger()
        elif self.every.rounds is not None:
            self._check_rounds_trigger()
        elif self.at is not None:
            self._check_seconds_trigger(self.at, self.every)
        return self

    def _check_single_trigger(self) -> None:
        if self.at is None and not self.FROM_THE_START:
            raise Misfit("at", MISSING, 'a table such as { round = 3, phase = "train" }; or every')
        if self.at is not None and self.at.phase is not None and self.at.round is None:
            raise Misfit("at.round", MISSING, "a round; or every = { rounds = .. }")

    def _check_rounds_trigger(self) -> None:
        if self.at is None or self.at.phase is None:
            right = 'a phase: every.rounds needs at = { phase = ".." }'
            raise Misfit("at.phase", MISSING, right)
        if self.at.round is not None:
            raise Misfit("at.round", self.at.round, "none beside every; every.from is the first")

    def _check_seconds_trigger(self, at: At, every: Every) -> None:
        if at.time_s is None:
            right = "a number of seconds, or no at: every.seconds goes by the clock"
            raise Misfit("at.time_s", MISSING, right)
        if every.until_s is not None and every.until_s <= at.time_s:
            raise Misfit("every.until_s", every.until_s, f"a number above at.time_s, {at.time_s}")

    @model_validator(mode="after")
    def _heal_fits_trigger(self) -> Self:
        if self.knows_its_round or self.heals_after_s is not None:
            return self
        if self.ending.rounds is not None:
            value = MISSING if self.heal is None else Told("rounds")
            right = "{ after_s = .. } or { never = true }: the trigger has no round to count from"
            raise Misfit("heal", value, right)
        return self

    @property
    def knows_its_round(self) -> bool:
        """Whether the round of each occurrence is known before the run."""
        if self.at is None:
            return self.every is None
        return self.at.phase is not None or self.at.round is not None

    @property
    def ending(self) -> Heal:
        """The heal that is given, or the model's default."""
        if self.heal is not None:
            return self.heal
        return Heal(never=True) if self.FOR_GOOD else Heal(rounds=1)

    @property
    def heals_after_s(self) -> float | None:
        """The seconds from its application to its heal; None = it heals by rounds, or never."""
        return self.ending.after_s

    @classmethod
    def parameter_names(cls) -> frozenset[str]:
        """Return the names of the fields that only this model has."""
        common = {*Fault.model_fields, "peers", "links", "groups", "sides", "hosts"}
        return frozenset(cls.model_fields.keys() - common)

    def parameters(self) -> dict[str, JsonValue]:
        """Return its own parameters by their names in the file, defaults included."""
        own = set(self.parameter_names())
        return self.model_dump(mode="json", by_alias=True, include=own, exclude_none=True)


class OnPeers(Fault):
    """A fault that hits peers."""

    peers: Selector


class OnLinks(Fault):
    """A fault that hits links; by default all of them."""

    links: LinkSelector = LinkSelector()
