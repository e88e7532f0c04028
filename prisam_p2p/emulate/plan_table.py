"""A fault plan as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from prisam_p2p.console import console
from prisam_p2p.emulate.faults.fault_plan import FaultPlan

_NAMED = 8


def print_faults(plan: FaultPlan) -> None:
    """Print each occurrence: when, what, whom."""
    table = Table(box=None, header_style="bold")
    for title in ("fault", "kind", "at", "heals", "whom"):
        table.add_column(title)
    for each in plan.occurrences:
        whom = ", ".join(each.peers) or _links(each.links)
        fit = f" ({each.cut_to_fit} left out: too many down)" if each.cut_to_fit else ""
        trigger, heal = (
            _words(part.model_dump(exclude_none=True)) for part in (each.trigger, each.heal)
        )
        table.add_row(each.id, each.kind, trigger, heal, (whom or "nobody") + fit)
    console().print(table)
    print(f"{plan.scenario}: {len(plan.occurrences)} occurrences, seed {plan.seed}")


def _links(links: Sequence[tuple[str, str]]) -> str:
    """Name a few links one by one, of many the first."""
    named = ", ".join(f"{a}->{b}" for a, b in links[:_NAMED])
    return named if len(links) <= _NAMED else f"{len(links)} links: {named}, .."


def _words(values: dict[str, Any]) -> str:
    return "never" if values.get("never") else " ".join(f"{k} {v}" for k, v in values.items())
