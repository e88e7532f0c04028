"""What a soak with disturbances came to: a line for each run, and the sums. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from prisam_p2p.soak.unplanned.series import Series, UnplannedCycle


def cycle_line(cycle: UnplannedCycle) -> str:
    """Return a run in a line: what was done to it, how it ended, whether that was good."""
    head = f"cycle {cycle.number}: {cycle.drawn}"
    if cycle.skipped:
        return f"{head}: skipped, {cycle.skipped}"
    late = sum(bool(each["too_late"]) for each in cycle.deliveries)
    came = f" ({late} came too late)" if late else ""
    bad = [*(["it hung"] if cycle.hung else []), *cycle.leaked, *cycle.tracebacks, *cycle.untrue]
    end = f"{cycle.duration_s:.0f} s, exit code {cycle.exit_code}"
    return f"{head}{came}: {end}: {'; '.join(bad) or 'good'}"


def totals(series: Series, cycles: Sequence[UnplannedCycle], seed: int) -> dict[str, Any]:
    """Return the sums over all runs."""
    run = [cycle for cycle in cycles if not cycle.skipped]
    sent = [each for cycle in run for each in cycle.deliveries if not each["too_late"]]
    peers = {*series.known.peers}
    return {
        "seed": seed,
        "runs": len(run),
        "good": sum(cycle.is_good for cycle in run),
        "skipped": _counted(cycle.skipped for cycle in cycles if cycle.skipped),
        "minutes": round(sum(cycle.duration_s for cycle in run) / 60, 1),
        "undisturbed_s": series.known.duration_s,
        "limit_s": round(series.limit_s, 1),
        "signals": _counted(each["signal"] for each in sent),
        "targets": _counted("peer" if x["target"] in peers else x["target"] for x in sent),
        "too_late": sum(bool(x["too_late"]) for cycle in run for x in cycle.deliveries),
        "full_disks": sum("a disk of" in cycle.drawn for cycle in run),
        "few_descriptors": sum("descriptors" in cycle.drawn for cycle in run),
        "exit_codes": _counted(str(cycle.exit_code) for cycle in run),
        "resumed": sum(cycle.resumed for cycle in run),
        "hangs": sum(bool(cycle.hung) for cycle in run),
        "leaks": sum(len(cycle.leaked) for cycle in run),
        "tracebacks": sum(len(cycle.tracebacks) for cycle in run),
        "untruths": sum(len(cycle.untrue) for cycle in run),
    }


def _counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
