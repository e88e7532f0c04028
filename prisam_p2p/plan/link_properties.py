"""What the links of a topology carry: a rate, a delay, a loss; for all of them, and for some.

In a topology's file: keys of [links] are for every link, a table [[link]] is for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, model_validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import MISSING, Misfit

Link = tuple[str, str]
"""The ids of the peer that sends and of the peer that receives."""

Cut = Literal["drop", "reject", "reset"]
"""How a link carries nothing: silently; with an RST for every segment; or, besides, with an RST at
once for the connections that there are."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """One direction of a link; as it is made, it is a link without any fault.

    Attributes:
        rate_mbit_s: 10**6 bits of Ethernet frames a second; None = no limit.
        delay_ms: added to every packet.
        jitter_ms: the delay varies by up to so much both ways, evenly; packets keep their order.
        loss: chance that a packet is lost, each for itself.
        cut: how it carries nothing; None = it carries.

    Raises:
        ValueError: out of bounds.
    """

    rate_mbit_s: float | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    cut: Cut | None = None

    def __post_init__(self) -> None:
        if self.rate_mbit_s is not None and not self.rate_mbit_s > 0:
            raise ValueError(f"rate_mbit_s = {self.rate_mbit_s}: expected more than 0, or None")
        if not (self.delay_ms >= 0 and self.jitter_ms >= 0):
            raise ValueError(f"delay {self.delay_ms} ms, jitter {self.jitter_ms} ms: below 0")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss = {self.loss}: expected 0 to 1")


CLEAR = LinkState()


class LinkProperties(BaseModel):
    """What a directed link is like; what is left out is as if there were nothing between."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate_mbit_s: float | None = Field(None, gt=0, description="At most so many Mbit a second.")
    delay_ms: float | None = Field(None, ge=0, le=60_000, description="One way, each packet.")
    jitter_ms: float | None = Field(
        None, ge=0, le=60_000, description="The delay varies by up to so much both ways."
    )
    loss: float | None = Field(None, ge=0, lt=1, description="Chance that a packet is lost.")

    def given(self) -> dict[str, float]:
        """Return the properties that are stated, by name."""
        values = {name: getattr(self, name) for name in LinkProperties.model_fields}
        return {name: value for name, value in values.items() if value is not None}


class LinkTable(LinkProperties):
    """A table [[link]]: what one link has instead of what [links] says."""

    from_: str = Field(alias="from", description="The peer at one end.")
    to: str = Field(description="The peer at the other end.")
    both_ways: bool = Field(True, description="The way back is the same.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.given():
            right = f"a number, or another of {', '.join(LinkProperties.model_fields)}"
            raise Misfit("rate_mbit_s", MISSING, right)
        return self


def link_states(
    everywhere: LinkProperties, tables: Sequence[LinkTable], graph: nx.Graph, where: str
) -> dict[Link, LinkState]:
    """Return each directed link's state, but for those that are clear; ascending.

    Raises:
        ConfigError: a table is of no link, or a second one of a link.
    """
    links = sorted(way for a, b in graph.edges() for way in ((a, b), (b, a)))
    given = {link: everywhere.given() for link in links}
    named = set[Link]()
    for i, table in enumerate(tables):
        there = (table.from_, table.to)
        for link in (there, there[::-1]) if table.both_ways else (there,):
            if link not in given:
                right = f"a link of the topology, such as {' to '.join(links[0])}"
                raise ConfigError(where, f"link[{i}]", " to ".join(link), right)
            if link in named:
                right = "every direction once; both_ways = false says one way"
                raise ConfigError(where, f"link[{i}]", " to ".join(link), right)
            named.add(link)
            given[link] = {**given[link], **table.given()}
    states = {link: _state(values) for link, values in given.items()}
    return {link: state for link, state in states.items() if state != CLEAR}


def by_name(states: Mapping[Link, LinkState]) -> dict[str, LinkProperties]:
    """Return the states as a plan has them: "p00->p01" -> properties."""
    return {
        "->".join(link): LinkProperties(
            **{name: getattr(state, name) for name in LinkProperties.model_fields}
        )
        for link, state in states.items()
    }


def from_names(
    links: Mapping[str, LinkProperties], known: Iterable[Link], where: str
) -> dict[Link, LinkState]:
    """Return what `by_name` was given.

    Raises:
        ConfigError: a name is of no link in `known`.
    """
    ways = {"->".join(link): link for link in known}
    for name in sorted(links.keys() - ways.keys()):
        raise ConfigError(where, "links", name, "a link of the run, FROM->TO")
    return {ways[name]: _state(each.given()) for name, each in links.items()}


def _state(given: Mapping[str, float]) -> LinkState:
    return LinkState(
        given.get("rate_mbit_s"),
        given.get("delay_ms", 0.0),
        given.get("jitter_ms", 0.0),
        given.get("loss", 0.0),
    )
