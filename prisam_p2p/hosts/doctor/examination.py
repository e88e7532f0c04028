"""`prisam doctor --on`: starts an agent on each host of an engine, and examines them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.hosts.doctor.agents_line import AgentsLine
from prisam_p2p.hosts.doctor.findings import (
    ExaminedHost,
    HostLack,
    Way,
    lacks,
    pairs,
    rated_pairs,
)
from prisam_p2p.hosts.doctor.probe_process import examine
from prisam_p2p.hosts.engines.interface import HostEngine
from prisam_p2p.plan.host_room import HostOffer


@dataclass(frozen=True)
class HostsReport:
    """What was found of an engine's hosts.

    Attributes:
        engine: its name.
        launcher_address: under which the hosts reached the launcher.
        ways: between all pairs of hosts.
    """

    engine: str
    launcher_address: str
    hosts: Sequence[ExaminedHost]
    ways: Sequence[Way]
    lacks: Sequence[HostLack]

    @property
    def usable(self) -> bool:
        """Whether nothing forbids a run."""
        return not any(each.forbids for each in self.lacks)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "usable": self.usable}


def examine_hosts(engine: HostEngine, count: int | None) -> HostsReport:
    """Examine the first hosts that an engine offers; nothing that this starts outlives the call.

    The caller should have one thread, because this forks.

    Args:
        count: how many; None = all.

    Raises:
        ConfigError: the engine cannot be used here, or has too few hosts.
        LaunchError: it does not give a host, or an agent is not there in time.
    """
    here = examine()
    try:
        offers = _first(engine.offers(), count)
        agents = AgentsLine(engine, offers)
        try:
            hosts, ways = _hosts(agents, offers), _ways(agents, offers)
        finally:
            agents.close()
        address = engine.launcher_address()
        return HostsReport(engine.name, address, hosts, ways, lacks(here, hosts, ways))
    finally:
        engine.close()


def _first(offers: Sequence[HostOffer], count: int | None) -> Sequence[HostOffer]:
    if count is not None and not 1 <= count <= len(offers):
        there = ", ".join(f"{each.node} ({each.address})" for each in offers)
        raise ConfigError("--hosts", "", count, f"1 to {len(offers)}: {there}")
    return offers[:count]


def _hosts(agents: AgentsLine, offers: Sequence[HostOffer]) -> list[ExaminedHost]:
    """Examine each host by itself, all at a time."""
    answers = agents.ask({each.name: [{"examine": True}] for each in offers})
    agents.await_clocks()
    return [_host(agents, each, answers[each.name][0]["examined"]) for each in offers]


def _host(agents: AgentsLine, offer: HostOffer, examined: Mapping[str, Any]) -> ExaminedHost:
    up = agents.up[offer.name]
    return ExaminedHost(
        name=offer.name,
        node=offer.node,
        address=offer.address,
        cores=offer.cores,
        memory_mib=offer.memory_mib,
        gpus=up.gpus,
        kernel=up.kernel,
        mtu=up.mtu,
        clock_bound_s=agents.bounds_s.get(offer.name),
        examined=examined,
    )


def _ways(agents: AgentsLine, offers: Sequence[HostOffer]) -> list[Way]:
    """Have each host reach all others, at a time; then measure rates, one pair after the other."""
    names = [each.name for each in offers]
    listening = agents.ask({each.name: [{"listen": each.address}] for each in offers})
    ends = {each.name: (each.address, listening[each.name][0]["listening"]) for each in offers}
    orders = {
        source: [{"reach": [target, *ends[target]]} for target in names if target != source]
        for source in names
    }
    answers = agents.ask({source: each for source, each in orders.items() if each})
    ways = {
        (source, answer["reached"]): Way(
            source, answer["reached"], answer["why_not"], answer.get("rtt_ms", ())
        )
        for source, each in answers.items()
        for answer in each
    }
    for source, target in rated_pairs(names):
        if not ways[source, target].why_not:
            ((answer,),) = agents.ask({source: [{"rate": [target, *ends[target]]}]}).values()
            ways[source, target] = replace(
                ways[source, target],
                mbit_s=answer.get("mbit_s"),
                why_no_rate=answer["why_not"],
            )
    return [ways[pair] for pair in pairs(names)]
