"""What all faults of a scenario share: a name, a trigger, a rhythm, an end, and whom it hits."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, JsonValue, model_validator

from prisam_p2p.faults.selector_forms import LinkSelector, Selector
from prisam_p2p.faults.timing import At, Every, Heal, Table
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told

FAULT_ID = r"^[a-z0-9_-]{1,64}$"


class Fault(Table):
    """An entry [[fault]].

    Attributes:
        FOR_GOOD: it never heals unless it says when; other kinds heal after one round.
        FROM_THE_START: it needs no trigger.
    """

    FOR_GOOD: ClassVar[bool] = False
    FROM_THE_START: ClassVar[bool] = False

    id: str = Field(pattern=FAULT_ID)
    kind: str
    at: At | None = None
    every: Every | None = None
    heal: Heal | None = None

    @model_validator(mode="after")
    def _comes(self) -> Self:
        if self.every is None:
            self._comes_once_at_a_moment()
        elif self.every.rounds is not None:
            self._comes_in_rounds()
        elif self.at is not None:
            self._comes_in_seconds(self.at, self.every)
        return self

    def _comes_once_at_a_moment(self) -> None:
        if self.at is None and not self.FROM_THE_START:
            raise Misfit("at", MISSING, 'a table such as { round = 3, phase = "train" }; or every')
        if self.at is not None and self.at.phase is not None and self.at.round is None:
            raise Misfit("at.round", MISSING, "a round; or every = { rounds = .. }")

    def _comes_in_rounds(self) -> None:
        if self.at is None or self.at.phase is None:
            right = 'a phase: every.rounds goes with at = { phase = ".." } only'
            raise Misfit("at.phase", MISSING, right)
        if self.at.round is not None:
            raise Misfit("at.round", self.at.round, "none beside every; every.from is the first")

    def _comes_in_seconds(self, at: At, every: Every) -> None:
        if at.time_s is None:
            right = "a number of seconds, or no at: every.seconds goes by the clock"
            raise Misfit("at.time_s", MISSING, right)
        if every.until_s is not None and every.until_s <= at.time_s:
            raise Misfit("every.until_s", every.until_s, f"a number above at.time_s, {at.time_s}")

    @model_validator(mode="after")
    def _goes(self) -> Self:
        if self.knows_its_round or (self.kind == "restart" and self.heal is None):
            return self
        if self.ending.rounds is not None:
            value = MISSING if self.heal is None else Told("rounds")
            right = "{ after_s = .. } or { never = true }: its trigger names no round to count from"
            raise Misfit("heal", value, right)
        return self

    @property
    def knows_its_round(self) -> bool:
        """Whether the round of each occurrence stands before the run."""
        if self.at is None:
            return self.every is None
        return self.at.phase is not None or self.at.round is not None

    @property
    def ending(self) -> Heal:
        """The end that is given, or the kind's own."""
        if self.heal is not None:
            return self.heal
        return Heal(never=True) if self.FOR_GOOD else Heal(rounds=1)

    @classmethod
    def parameter_names(cls) -> frozenset[str]:
        """Return the fields that are the kind's own."""
        common = {*Fault.model_fields, "peers", "links", "groups", "sides"}
        return frozenset(cls.model_fields.keys() - common)

    def parameters(self) -> dict[str, JsonValue]:
        """Return the parameters of the kind by their names in the file, defaults included."""
        own = set(self.parameter_names())
        return self.model_dump(mode="json", by_alias=True, include=own, exclude_none=True)


class OnPeers(Fault):
    """A fault that hits peers."""

    peers: Selector


class OnLinks(Fault):
    """A fault that hits links, all of them if it names none."""

    links: LinkSelector = LinkSelector()
