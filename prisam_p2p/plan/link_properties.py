"""Rate, delay, jitter and loss of links, and the state of a link while a network runs.

In a topology, keys of [links] apply to every link, and a table [[link]] to one.
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
"""Ids of the sending and of the receiving peer."""

Cut = Literal["drop", "reject", "reset"]
"""How a cut link treats packets: it drops them; it answers every segment with an RST; or it also
resets the open connections at once."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """State of one direction of a link. The default is a link without limits or faults.

    Attributes:
        rate_mbit_s: limit in 10**6 bits of Ethernet frames per second; None = no limit.
        delay_ms: added to every packet.
        jitter_ms: the delay is drawn evenly from delay_ms ± jitter_ms; packets keep their order.
        loss: probability that a packet is lost, independent of the others.
        cut: how the link is cut; None = it is not.

    Raises:
        ValueError: a value is out of bounds.
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
    """Properties of a directed link. What is left out is not emulated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate_mbit_s: float | None = Field(None, gt=0, description="Highest rate, in Mbit/s.")
    delay_ms: float | None = Field(None, ge=0, le=60_000, description="One-way delay of a packet.")
    jitter_ms: float | None = Field(
        None, ge=0, le=60_000, description="The delay varies by up to this, up and down."
    )
    loss: float | None = Field(None, ge=0, lt=1, description="Probability that a packet is lost.")

    def given(self) -> dict[str, float]:
        """Return the properties that are set, by name."""
        values = {name: getattr(self, name) for name in LinkProperties.model_fields}
        return {name: value for name, value in values.items() if value is not None}


class LinkOverride(LinkProperties):
    """A table [[link]]: the properties of one link that differ from those in [links]."""

    from_: str = Field(alias="from", description="The peer at one end.")
    to: str = Field(description="The peer at the other end.")
    both_ways: bool = Field(True, description="Apply to the other direction too.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.given():
            right = f"a number, or another of {', '.join(LinkProperties.model_fields)}"
            raise Misfit("rate_mbit_s", MISSING, right)
        return self


def link_states(
    everywhere: LinkProperties, tables: Sequence[LinkOverride], graph: nx.Graph, where: str
) -> dict[Link, LinkState]:
    """Return directed link -> state, sorted, without the links that are clear.

    Args:
        everywhere: properties of all links.
        tables: properties of single links.
        where: the topology's file, for errors.

    Raises:
        ConfigError: a table names no link, or a direction that another table has.
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
                right = "every direction once; both_ways = false applies to one direction"
                raise ConfigError(where, f"link[{i}]", " to ".join(link), right)
            named.add(link)
            given[link] = {**given[link], **table.given()}
    states = {link: _state(values) for link, values in given.items()}
    return {link: state for link, state in states.items() if state != CLEAR}


def properties_by_name(states: Mapping[Link, LinkState]) -> dict[str, LinkProperties]:
    """Return "p00->p01" -> properties, as plan.json has them."""
    return {
        "->".join(link): LinkProperties(
            **{name: getattr(state, name) for name in LinkProperties.model_fields}
        )
        for link, state in states.items()
    }


def states_from_names(
    links: Mapping[str, LinkProperties], known: Iterable[Link], where: str
) -> dict[Link, LinkState]:
    """Return directed link -> state from plan.json's names: the reverse of `properties_by_name`.

    Raises:
        ConfigError: a name is not a link in `known`.
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
