"""What a run asks of its links, and which of it loopback and hosts cannot provide."""

from __future__ import annotations

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.fault_plan import FaultPlan, Occurrence
from prisam_p2p.faults.links.loopback_link_faults import why_not_by_messages
from prisam_p2p.netns.choice import HOSTS, LOOPBACK, NAMESPACES, NetworkChoice
from prisam_p2p.plan.plan import Plan

_LINKS, _FAULTS = "the topology's links", "faults of links"


def wants(plan: Plan, faults: FaultPlan | None) -> list[str]:
    """Return what the run asks of its links, in words.

    The rates of devices do not count: on loopback the peers keep them themselves.
    """
    if plan.traits.silent:
        return []
    return [_LINKS] * bool(plan.links) + [_FAULTS] * bool(_on_links(faults))


def loss_of_fidelity(plan: Plan, faults: FaultPlan | None, choice: NetworkChoice) -> str | None:
    """Return in one line what the chosen network cannot provide; None = it provides all."""
    lost = {
        _LINKS: "links delay messages, not packets, and have no rate and no loss",
        _FAULTS: "faults of links drop or delay messages, not packets",
    }
    if choice.network == NAMESPACES or not (asked := wants(plan, faults)):
        return None
    return f"{_where(choice)} ({choice.reason}) {'; '.join(lost[each] for each in asked)}"


def check_links(faults: FaultPlan, choice: NetworkChoice, where: str) -> None:
    """Refuse faults that the chosen network cannot apply.

    Raises:
        ConfigError: the network has no namespaces, and a fault is about segments, packets or rates.
    """
    for each in _on_links(faults) if choice.network != NAMESPACES else ():
        if why := why_not_by_messages(each):
            right = f"--network namespaces (here it is {choice.network}, {choice.reason}): {why}"
            if choice.network == HOSTS:
                right = f"a fault of messages, or a run without --on ({choice.reason}): {why}"
            raise ConfigError(where, each.id, each.kind, right)


def _where(choice: NetworkChoice) -> str:
    return "on loopback" if choice.network == LOOPBACK else "on several hosts"


def _on_links(faults: FaultPlan | None) -> list[Occurrence]:
    return [each for each in faults.occurrences if each.traits.on_links] if faults else []
