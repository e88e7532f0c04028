"""The table of fault kinds: one row holds everything that other code asks about a kind. Pure.

To add a kind: a model of its parameters (scenario/), an act (acts/), a row here and a row in
docs/faults.md. An attack has its row in attacks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, JsonValue, create_model

from prisam_p2p.faults.attacks import ATTACKS, Attack
from prisam_p2p.faults.scenario import data_faults, host_faults, link_faults, peer_faults
from prisam_p2p.faults.scenario.fault import Fault
from prisam_p2p.faults.scenario.timing import ScenarioTable
from prisam_p2p.plan.link_properties import LinkState

LinkEffect = Callable[[Mapping[str, JsonValue], float], LinkState]
"""(parameters, seconds since it was applied) -> what it does to a link."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A row of the table.

    Attributes:
        model: its parameters in a scenario.
        act: "MODULE:CLASS" that applies, verifies and heals it. A name, because acts import what
            readers of this table (report) must not.
        ends_process: a peer's process ends; a heal starts the next one.
        suspends_process: a peer's process is suspended until the heal.
        throttles_process: a peer's process is stopped and continued many times a second.
        starts_absent: a peer has no process before it is applied.
        all_or_none: its peers are hit together, or none of them where the guard leaves one out.
        attack: a Byzantine process takes the peer's place until the heal; None = it stays honest.
        link_effect: its effect on its links; None = it is not applied to links.
        changes_data: its peers have other data, and maybe another data group, until the heal. Their
            specs say so, whether they are up or down.
        replaces: its peers are new devices that take the places of others, which leave by an
            occurrence of their own.
        cuts_links: no packet passes its links until the heal.
        needs_victim: missing evidence is inconclusive: there may have been nothing to hit, such as
            a message.
        unproven: the verdict's words where evidence is missing, completed by the peers' names.
    """

    model: type[Fault]
    act: str
    ends_process: bool = False
    suspends_process: bool = False
    throttles_process: bool = False
    starts_absent: bool = False
    all_or_none: bool = False
    attack: Attack | None = None
    link_effect: LinkEffect | None = None
    changes_data: bool = False
    replaces: bool = False
    cuts_links: bool = False
    needs_victim: bool = False
    unproven: str = "no evidence that it bit at "

    @property
    def takes_down(self) -> bool:
        """Whether its peers take no part in the run until the heal."""
        return self.ends_process or self.suspends_process

    @property
    def starts_process(self) -> bool:
        """Whether its application starts a process of the peer."""
        return self.starts_absent or self.is_attack

    @property
    def is_attack(self) -> bool:
        """Whether its peers are Byzantine until the heal."""
        return self.attack is not None

    @property
    def on_links(self) -> bool:
        """Whether it is applied to links, to all of them at once."""
        return self.link_effect is not None


_ACTS = "prisam_p2p.faults.acts"
_KILL, _TERMINATE = f"{_ACTS}.lifecycle:Kill", f"{_ACTS}.lifecycle:Terminate"


def _of_links(model: type[Fault], link_effect: LinkEffect, cuts_links: bool = False) -> FaultKind:
    return FaultKind(
        model,
        f"{_ACTS}.traffic:DisturbLinks",
        link_effect=link_effect,
        cuts_links=cuts_links,
        needs_victim=True,
    )


def _of_messages(model: type[Fault]) -> FaultKind:
    return FaultKind(model, f"{_ACTS}.traffic:DisturbMessages", needs_victim=True)


def _attack(attack: Attack) -> FaultKind:
    return FaultKind(attack.model, f"{_ACTS}.byzantine:ReplacePeer", attack=attack)


KINDS: dict[str, FaultKind] = {
    "kill": FaultKind(peer_faults.EndFault, _KILL, ends_process=True),
    "term": FaultKind(peer_faults.EndFault, _TERMINATE, ends_process=True),
    "leave": FaultKind(peer_faults.EndFault, _TERMINATE, ends_process=True),
    "restart": FaultKind(peer_faults.RestartFault, _KILL, ends_process=True),
    "pause": FaultKind(
        peer_faults.PauseFault,
        f"{_ACTS}.lifecycle:Suspend",
        suspends_process=True,
        needs_victim=True,
    ),
    "join": FaultKind(peer_faults.JoinFault, f"{_ACTS}.lifecycle:Join", starts_absent=True),
    "slow": FaultKind(peer_faults.SlowFault, f"{_ACTS}.slowing:SlowDown", throttles_process=True),
    "memory": FaultKind(
        peer_faults.MemoryFault,
        f"{_ACTS}.memory:LimitMemory",
        needs_victim=True,
        unproven="it stayed within its limit: ",
    ),
    "full-disk": FaultKind(
        peer_faults.DiskFault,
        f"{_ACTS}.storage:FillDisk",
        needs_victim=True,
        unproven="no state was to be written: ",
    ),
    "drift": FaultKind(
        data_faults.DriftFault,
        f"{_ACTS}.data:ChangeData",
        changes_data=True,
        needs_victim=True,
        unproven="it trained on no other images: ",
    ),
    "replace": FaultKind(
        data_faults.ReplaceFault,
        f"{_ACTS}.data:TakePlace",
        starts_absent=True,
        replaces=True,
        unproven="it did not train on images of its own: ",
    ),
    "cut": _of_links(link_faults.CutFault, link_faults.cut_effect, cuts_links=True),
    "flap": _of_links(link_faults.FlapFault, link_faults.flap_effect),
    "shape": _of_links(link_faults.ShapeFault, link_faults.shape_effect),
    "partition": _of_links(link_faults.PartitionFault, link_faults.silence_effect, cuts_links=True),
    "isolate": _of_links(link_faults.IsolateFault, link_faults.silence_effect, cuts_links=True),
    "host-down": FaultKind(
        host_faults.HostDownFault, f"{_ACTS}.hosts:EndHost", ends_process=True, all_or_none=True
    ),
    "host-cut": _of_links(host_faults.HostCutFault, link_faults.silence_effect, cuts_links=True),
    "drop": _of_messages(peer_faults.MessageFault),
    "delay": _of_messages(peer_faults.DelayFault),
    "duplicate": _of_messages(peer_faults.MessageFault),
    "reorder": _of_messages(peer_faults.MessageFault),
    "hold": _of_messages(peer_faults.MessageFault),
    "corrupt": _of_messages(peer_faults.MessageFault),
    **{name: _attack(attack) for name, attack in ATTACKS.items()},
}
"""Kind of fault -> its row."""


@lru_cache
def parameters_model(model: type[Fault]) -> type[BaseModel]:
    """Return the model of the parameters as a fault plan has them."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in model.model_fields.items()
        if name in model.parameter_names()
    }
    if model is link_faults.PartitionFault:
        fields["groups"] = (list[list[str]], ...)
    if issubclass(model, host_faults.OnHosts):
        fields["hosts"] = (list[str], ...)
    return create_model(f"ParametersOf{model.__name__}", __base__=ScenarioTable, **fields)
