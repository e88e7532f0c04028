"""What `prisam doctor` reports: this machine's capabilities, and the network that a run gets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prisam_p2p.console import TableColumn, print_line, print_table
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


_CAPABILITIES = (
    TableColumn("capability", keeps=True),
    TableColumn("here"),
    TableColumn("how, or why not", wraps=True),
    TableColumn("what the lack of it costs", wraps=True),
)
_MEASURED = (
    TableColumn("a link in namespaces", keeps=True),
    TableColumn("requested", right=True),
    TableColumn("achieved", wraps=True),
)


def print_findings(found: dict[str, Any]) -> None:
    """Print what `examine` returned."""
    probes = found["probes"]
    print_table(
        _CAPABILITIES,
        [[p["what"], "yes" if p["available"] else "no", p["detail"], p["costs"]] for p in probes],
    )
    print_line("")
    if found["measured"]:
        print_table(
            _MEASURED,
            [
                [each["what"], f"{each['asked']:g}", each["why_not"] or f"{each['achieved']:g}"]
                for each in found["measured"]
            ],
        )
    else:
        print_line("links in namespaces: not measured, as this machine cannot have namespaces")
    print_line("")
    choice = found["network"]
    print_line(
        "For links with a rate, delay or loss, and for link faults, "
        f"--network auto is {choice['network']}: {choice['reason']}"
    )
