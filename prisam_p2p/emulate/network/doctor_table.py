"""What the doctor found, for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_findings(console: Console, found: dict[str, Any]) -> None:
    """Print what `doctor.examine` returned."""
    table = Table("what", "here", "how, or why not", "what its absence costs", box=None)
    for each in found["probes"]:
        here = "yes" if each["available"] else "no"
        table.add_row(each["what"], here, each["detail"], each["costs"])
    console.print(table)
    if found["measured"]:
        measured = Table("a link in namespaces", "asked", "achieved", box=None)
        for each in found["measured"]:
            achieved = each["why_not"] or f"{each['achieved']:g}"
            measured.add_row(each["what"], f"{each['asked']:g}", achieved)
        console.print(measured)
    choice = found["network"]
    console.print(
        "Where links or faults ask for more than loopback, "
        f"--network auto is {choice['network']}: {choice['reason']}",
        highlight=False,
    )
