"""How a fault plan says when: the forms of an occurrence's trigger and of its heal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from prisam_p2p.emulate.faults.timing import Edge, Phase


class Part(BaseModel):
    """A table of a fault plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AtRound(Part):
    """The beginning of a phase of a round, at each peer that it concerns by itself."""

    round: int = Field(ge=0)
    phase: Phase


class AtTime(Part):
    """Seconds after the rounds began."""

    time_s: float = Field(ge=0)


class AtTransfer(Part):
    """When the first of its donors has given this share of a transfer; no round is any."""

    event: Literal["transfer"]
    share: float = Field(gt=0, le=1)
    round: int | None = None


class AfterFault(Part):
    """So many seconds after another occurrence was applied or healed."""

    after: str
    edge: Edge
    delay_s: float = Field(ge=0)


class HealAtRound(Part):
    """The beginning of a round; one that the run does not have is its end."""

    round: int = Field(ge=0)


class HealAfter(Part):
    """Seconds after it was applied."""

    after_s: float = Field(ge=0)


class HealNever(Part):
    """Not before the run's end."""

    never: Literal[True] = True


def _form(value: object) -> str | None:
    """Return which form a trigger or a heal has, by its keys."""
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
