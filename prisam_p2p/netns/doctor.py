"""What `prisam doctor` reports: this machine's capabilities, and the network that a run gets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from prisam_p2p.netns import capabilities
from prisam_p2p.netns.choice import choose_by_capabilities
from prisam_p2p.netns.link_check import check_link
from prisam_p2p.settings import NetworkKind


def examine() -> dict[str, Any]:
    """Probe this machine and return the findings as JSON values.

    Returns:
        network: the choice of `--network auto` for a run whose links need namespaces;
        probes: one entry per capability; measured: what a link achieves in namespaces, empty
        where they do not work.

    Raises:
        NetworkError: the probes succeeded, but a network could not be set up.
    """
    found = capabilities.probe()
    works = all(found[what].available for what in capabilities.NEEDED)
    return {
        "network": asdict(choose_by_capabilities(found, NetworkKind.AUTO)),
        "probes": [asdict(each) for each in found.values()],
        "measured": [asdict(each) for each in check_link()] if works else [],
    }


def print_findings(console: Console, found: dict[str, Any]) -> None:
    """Print what `examine` returned."""
    table = Table("capability", "here", "how, or why not", "what the lack of it costs", box=None)
    for each in found["probes"]:
        here = "yes" if each["available"] else "no"
        table.add_row(each["what"], here, each["detail"], each["costs"])
    console.print(table)
    if found["measured"]:
        measured = Table("a link in namespaces", "requested", "achieved", box=None)
        for each in found["measured"]:
            achieved = each["why_not"] or f"{each['achieved']:g}"
            measured.add_row(each["what"], f"{each['asked']:g}", achieved)
        console.print(measured)
    else:
        console.print("links in namespaces: not measured, as this machine cannot have namespaces")
    choice = found["network"]
    console.print(
        "For links with a rate, delay or loss, and for link faults, "
        f"--network auto is {choice['network']}: {choice['reason']}",
        highlight=False,
    )
