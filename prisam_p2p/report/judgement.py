"""What a run's exit code rests on: its closure, its checks, the verdicts of its faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prisam_p2p.report.checks import FALSE, UNKNOWN
from prisam_p2p.report.closure import complaint


@dataclass(frozen=True)
class Judgement:
    """Sentences on what was broken, and on what could not be decided; none = all is true."""

    broken: list[str]
    undecided: list[str]


def judge(summary: Mapping[str, Any]) -> Judgement:
    """Return the judgement over a run's summary."""
    bytes_lost = complaint(summary["closure"])
    return Judgement(
        ([bytes_lost] if bytes_lost else []) + _with_verdict(summary, FALSE),
        _with_verdict(summary, UNKNOWN),
    )


def _with_verdict(summary: Mapping[str, Any], verdict: str) -> list[str]:
    checks = [f"{c['check']}: {c['why']}" for c in summary["checks"] if c["verdict"] == verdict]
    faults = [f"fault {f['id']}: {f['why']}" for f in summary["faults"] if f["verdict"] == verdict]
    return checks + faults
