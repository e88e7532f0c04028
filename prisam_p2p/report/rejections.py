"""Whose weights failed a check on receipt, how often and at whom."""

from __future__ import annotations

from collections import Counter
from typing import Any

from prisam_p2p.report.run_folder import RunFolder


def rejections(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Return donor -> who rejected it (`by`, ascending), and check -> how often (`checks`)."""
    by: dict[str, set[str]] = {}
    checks: dict[str, Counter[str]] = {}
    for peer in run.peers:
        for line in run.records(peer, "rejected"):
            by.setdefault(line["donor"], set()).add(peer)
            checks.setdefault(line["donor"], Counter())[line["check"]] += 1
    return {
        donor: {"by": sorted(by[donor]), "checks": dict(sorted(checks[donor].items()))}
        for donor in sorted(by)
    }


def rejection_lines(rejected: dict[str, dict[str, Any]]) -> list[str]:
    """Return the rejections in one line, none where there are none."""
    told = [_told(donor, each) for donor, each in rejected.items()]
    return [f"rejected on receipt: {', '.join(told)}"] if told else []


def _told(donor: str, each: dict[str, Any]) -> str:
    checks = ", ".join(f"{check} {n}" for check, n in each["checks"].items())
    n = len(each["by"])
    return f"{donor} by {n} peer{'s' * (n > 1)} ({checks})"
