"""The fault plan: the occurrences of all faults, with triggers, heals and targets decided."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator

from prisam_p2p.control.spec import Phase
from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.kinds import KINDS, FaultKind, parameters_model
from prisam_p2p.faults.scenario.timing import Edge
from prisam_p2p.plan.link_properties import Link
from prisam_p2p.plan.toml_file import Misfit, Told, near, validate


class PlanTable(BaseModel):
    """A table of a fault plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AtRound(PlanTable):
    """The beginning of a phase of a round, at each of its peers."""

    round: int = Field(ge=0)
    phase: Phase


class AtTime(PlanTable):
    """Seconds after the rounds began."""

    time_s: float = Field(ge=0)


class AtTransfer(PlanTable):
    """When the first of its donors has sent this share of a transfer's bytes; None = any round."""

    event: Literal["transfer"]
    share: float = Field(gt=0, le=1)
    round: int | None = None


class AfterFault(PlanTable):
    """`delay_s` seconds after another occurrence was applied or healed."""

    after: str
    edge: Edge
    delay_s: float = Field(ge=0)


class HealAtRound(PlanTable):
    """The beginning of a round; a round beyond the run means the run's end."""

    round: int = Field(ge=0)


class HealAfter(PlanTable):
    """Seconds after it was applied."""

    after_s: float = Field(ge=0)


class HealNever(PlanTable):
    """Not before the run's end."""

    never: Literal[True] = True


def _form(value: object) -> str | None:
    """Return the tag of a trigger's or heal's form, which its keys tell."""
    keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    forms = ("phase", "time_s", "event", "after", "after_s", "never", "round")
    found = [form for form in forms if form in keys]
    return f"<{found[0]}>" if found else None


Trigger = Annotated[
    Annotated[AtRound, Tag("<phase>")]
    | Annotated[AtTime, Tag("<time_s>")]
    | Annotated[AtTransfer, Tag("<event>")]
    | Annotated[AfterFault, Tag("<after>")],
    Discriminator(_form),
]
HealAt = Annotated[
    Annotated[HealAtRound, Tag("<round>")]
    | Annotated[HealAfter, Tag("<after_s>")]
    | Annotated[HealNever, Tag("<never>")],
    Discriminator(_form),
]


# -- the plan --------------------------------------------------------------------------


class Occurrence(PlanTable):
    """The n-th time that a fault is to happen.

    Attributes:
        id: "FAULT#n", n from 0.
        peers: ascending; where a transfer triggers it, those that it may hit. Empty for kinds that
            hit links, and where no peer was left.
        links: directed, ascending; empty for kinds that hit peers, except isolate.
        parameters: of the kind; those of a partition hold its sides as "groups".
        already_down: number of peers left out because they are down at that moment.
        cut_to_fit: number of peers left out because the guard allows no more peers down.
        guard_at_run_time: it takes peers down at a moment that the plan does not know.
    """

    id: str
    fault: str
    occurrence: int = Field(ge=0)
    kind: str
    peers: list[str]
    links: list[Link]
    trigger: Trigger
    heal: HealAt
    parameters: dict[str, JsonValue]
    already_down: int = 0
    cut_to_fit: int = 0
    guard_at_run_time: bool = False

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        if self.id != f"{self.fault}#{self.occurrence}":
            raise Misfit("id", self.id, f"{self.fault}#{self.occurrence}")
        if self.kind not in KINDS:
            raise Misfit("kind", self.kind, f"a kind of fault; {near(self.kind, KINDS)}")
        try:
            validate(self.parameters, parameters_model(self.traits.model), "")
        except ConfigError as error:
            raise Misfit(f"parameters.{error.key}", error.value, error.right) from None
        in_training = isinstance(self.trigger, AtRound) and self.trigger.phase == "train"
        if (self.traits.changes_data or self.traits.replaces) and not in_training:
            raise Misfit("trigger", Told("another"), "a round's phase train: data change there")
        return self

    @property
    def traits(self) -> FaultKind:
        """The row of its kind."""
        return KINDS[self.kind]

    @property
    def concerned(self) -> list[str]:
        """The peers that it hits, or the ends of its links if it hits links; ascending."""
        return self.peers or sorted({end for link in self.links for end in link})

    @property
    def donors(self) -> list[str]:
        """The peers whose transfers may trigger it: its peers, or the senders of its links."""
        return self.peers or sorted({start for start, _ in self.links})


LEAVING = "-leaves"
"""Added to the id of a fault that replaces devices: the fault by which the old ones leave."""


def id_of_leaving(fault: str, occurrence: int) -> str:
    """Return the id of the occurrence in which those leave whom a fault replaces."""
    return f"{fault}{LEAVING}#{occurrence}"


class FaultPlan(PlanTable):
    """A scenario, compiled.

    Attributes:
        scenario: its name.
        rounds, peers: of the run that it was compiled for.
        most_down: peers that may be down at a time.
        occurrences: in the order of the scenario, then as they are counted.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    scenario: str
    seed: int = Field(ge=0)
    rounds: int = Field(ge=1)
    peers: list[str]
    most_down: int = Field(ge=1)
    occurrences: list[Occurrence]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        known, places = {*self.peers}, dict[str, int]()
        for i, each in enumerate(self.occurrences):
            if places.setdefault(each.id, i) != i:
                raise Misfit(f"occurrences[{i}].id", each.id, "every id once")
            for peer in sorted({*each.peers, *each.concerned} - known):
                raise Misfit(f"occurrences[{i}]", peer, "one of the plan's peers")
        for i, each in enumerate(self.occurrences):
            if isinstance(each.trigger, AfterFault) and each.trigger.after not in places:
                key = f"occurrences[{i}].trigger.after"
                raise Misfit(key, each.trigger.after, "the id of an occurrence")
        return self

    def to_json(self) -> str:
        """Return the plan as JSON, one line per occurrence; equal plans are equal bytes."""
        data = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        lines = [json.dumps(each) for each in data.pop("occurrences")]
        head = json.dumps(data).removesuffix("}")
        return head + ', "occurrences": [\n  ' + ",\n  ".join(lines) + "\n]}\n"


def read_fault_plan(path: Path) -> FaultPlan:
    """Return the plan in the file at `path`.

    Raises:
        ConfigError: it is missing, or is not a fault plan.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), "", "no JSON", f"a run's faults.json: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(str(path), "", type(data).__name__, "a run's faults.json")
    try:
        return validate(data, FaultPlan, str(path))
    except ConfigError as error:
        key = re.sub(r"\.<\w+>", "", error.key)  # the form, which is no key of the file
        raise ConfigError(error.where, key, error.value, error.right) from None
