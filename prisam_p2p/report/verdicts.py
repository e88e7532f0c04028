"""What a verdict can be, how verdicts are printed, and what a run's exit code follows from.

docs/run-folder.md ("Verdicts") has the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRUE, FALSE = "true", "false"
UNKNOWN = "unknown"
"""There was something to judge, and the run does not show how it was: exit code 5."""
NOT_JUDGED = "not judged"
"""The run gave nothing to judge: no fault was planned, nothing was sent. Changes no exit code."""

_SHOWN = 3


@dataclass(frozen=True)
class Judgement:
    """Sentences on what a run broke, and on what could not be decided."""

    broken: list[str]
    undecided: list[str]


def judge(summary: Mapping[str, Any]) -> Judgement:
    """Return the judgement over a run's summary: its closure, its checks, its faults' verdicts."""
    bytes_lost = complaint(summary["closure"])
    return Judgement(
        ([bytes_lost] if bytes_lost else []) + _with_verdict(summary, FALSE),
        _with_verdict(summary, UNKNOWN),
    )


def complaint(closed: Mapping[str, Any]) -> str | None:
    """Return why a run's closure failed, naming its first connections; None: it did not fail."""
    named = closed["failures"]
    if not named:
        return None
    more = f"; and {len(named) - _SHOWN} more, see summary.json" if len(named) > _SHOWN else ""
    return f"{closed['unexplained_bytes']} unexplained bytes: {'; '.join(named[:_SHOWN])}{more}"


def verdict_lines(
    title: str, holds: str, verdicts: Sequence[Mapping[str, Any]], name: str
) -> list[str]:
    """Return verdicts in words.

    The first line counts them, and says why some are not judged; each one that is false or unknown
    has a line of its own.

    Args:
        holds: what is said of those that are true.
        verdicts: entries of summary.json with `verdict` and `why`.
        name: the key of an entry's name.
    """
    of = {
        verdict: [each for each in verdicts if each["verdict"] == verdict]
        for verdict in (TRUE, FALSE, UNKNOWN, NOT_JUDGED)
    }
    parts = [f"{len(of[TRUE])} {holds}"]
    parts += [f"{len(of[verdict])} {verdict}" for verdict in (FALSE, UNKNOWN) if of[verdict]]
    if of[NOT_JUDGED]:
        parts.append(f"{len(of[NOT_JUDGED])} {NOT_JUDGED} ({_reasons(of[NOT_JUDGED], name)})")
    wrong = [each for each in verdicts if each["verdict"] in (FALSE, UNKNOWN)]
    return [
        f"{title}: {', '.join(parts)}",
        *(f"  {each[name]}: {each['verdict']}, {each['why']}" for each in wrong),
    ]


def _reasons(entries: Iterable[Mapping[str, Any]], name: str) -> str:
    return "; ".join(f"{each[name]}: {each['why']}" for each in entries)


def _with_verdict(summary: Mapping[str, Any], verdict: str) -> list[str]:
    checks = [f"{c['check']}: {c['why']}" for c in summary["checks"] if c["verdict"] == verdict]
    faults = [f"fault {f['id']}: {f['why']}" for f in summary["faults"] if f["verdict"] == verdict]
    return checks + faults
