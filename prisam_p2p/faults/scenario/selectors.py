"""The forms of selectors in a scenario: `peers`, `links`, `groups` and `sides`.

compiler/resolve_peers.py and resolve_links.py resolve them in a given network.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from prisam_p2p.faults.scenario.timing import ScenarioTable
from prisam_p2p.plan.toml_file import MISSING, Misfit, Told

Role = Literal["hub", "leaf", "bridge"]
Ids = Annotated[list[str], Field(min_length=1)]
SomeNames = Annotated[
    Ids, BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
"""A name, or a list of names."""


class Selector(ScenarioTable):
    """Peers: a list of names, "all", or a table.

    In a table, one of `ids`, `data_group`, `role`, `profile` and `host` restricts the peers, `not`
    excludes some, and `pick` or `percent` draws from the rest; each may stand alone.

    Attributes:
        host: where the peers live, in a run on several hosts.
        percent: of the peers that are left to draw from, rounded half up, at least one.
    """

    ids: Ids | None = None
    data_group: int | None = Field(None, ge=0)
    role: Role | None = None
    profile: str | None = None
    host: SomeNames | None = None
    not_: Ids | None = Field(None, alias="not")
    pick: int | None = Field(None, ge=1)
    percent: float | None = Field(None, gt=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if isinstance(value, list):
            return {"ids": _names(value, "a list of at least one peer, in quotes")}
        if value == "all":
            return {}
        if not isinstance(value, dict):
            shown = MISSING if value is None else value
            raise Misfit("", shown, 'a list of peers, "all", or a table such as { pick = 2 }')
        if not value:
            raise Misfit("", Told("an empty table"), '"all", or a table such as { pick = 2 }')
        return value

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        for first, second in (("pick", "percent"), *_TWO_RESTRICTIONS):
            value = getattr(self, second)
            if value is not None and getattr(self, first) is not None:
                raise Misfit(second, value, f"no {second} beside {first}")
        return self


_RESTRICTIONS = ("ids", "data_group", "role", "profile", "host")
_TWO_RESTRICTIONS = [(a, b) for i, a in enumerate(_RESTRICTIONS) for b in _RESTRICTIONS[i + 1 :]]


class HostSelector(ScenarioTable):
    """Hosts: a name, a list of names, or a table with `pick`, and `not` to leave some out."""

    ids: Ids | None = None
    not_: Ids | None = Field(None, alias="not")
    pick: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if isinstance(value, str):
            return {"ids": [value]}
        if isinstance(value, list):
            return {"ids": _names(value, "a list of at least one host, in quotes")}
        if not isinstance(value, dict):
            shown = MISSING if value is None else value
            raise Misfit("", shown, 'a host such as "h2", a list of hosts, or { pick = 1 }')
        if value.get("pick") is None:
            raise Misfit("pick", MISSING, "a number of hosts to pick")
        return value


class LinkSelector(ScenarioTable):
    """Links: a list of "p00->p01" (one direction) and "p02-p03" (both), "all", or a table.

    Attributes:
        between: links from the first peers to the second, and back.
        of: links with an end among these peers.
    """

    names: Ids | None = None
    between: Annotated[list[Selector], Field(min_length=2, max_length=2)] | None = None
    of: Selector | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if isinstance(value, list):
            return {"names": _names(value, 'a list of at least one link such as "p00->p01"')}
        if value == "all":
            return {}
        if not isinstance(value, dict):
            raise Misfit("", value, 'a list of links, "all", or a table with between or of')
        return value

    @model_validator(mode="after")
    def _between_or_of(self) -> Self:
        if self.between is not None and self.of is not None:
            raise Misfit("of", Told("a selector"), "no of beside between")
        for name in self.names or ():
            if "-" not in name.strip("-"):
                raise Misfit("", name, 'two peers: "p00->p01" (one way) or "p00-p01" (both)')
        return self


class Sides(ScenarioTable):
    """The sides of a partition that follow from the run: its data groups."""

    data_groups: Literal[True]


def _names(value: list[object], right: str) -> list[object]:
    if not value or not all(isinstance(each, str) for each in value):
        raise Misfit("", value, right)
    return value
