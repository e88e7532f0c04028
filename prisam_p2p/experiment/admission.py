"""How many cells run at once, and how long the rest will take. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

OVERLAP = 1.0
"""Cores that running cells may ask for together, in cores of the host."""

MEMORY_SHARE = 0.8
"""Of the memory that was free when nothing ran, how much cells may take."""


@dataclass(frozen=True)
class Need:
    """What a cell takes: cores that its peers can keep busy, and memory, None if not known yet."""

    cores: float
    memory_mib: float | None


def may_start(
    running: Sequence[Need], new: Need, cores: int, free_mib: float, jobs: int | None
) -> bool:
    """Tell whether a cell may start beside those that run.

    Args:
        cores: of the host.
        free_mib: memory that was free when nothing ran.
        jobs: the user's word on how many; None: as many as keep the cores busy.

    One alone always may. Without `jobs`, a cell whose memory is not known runs alone, so that it
    can be measured.
    """
    if not running:
        return True
    together = [*running, new]
    known = [need.memory_mib for need in together if need.memory_mib is not None]
    if sum(known) > MEMORY_SHARE * free_mib:
        return False
    if jobs is not None:
        return len(running) < jobs
    if len(known) < len(together):
        return False
    return sum(need.cores for need in together) <= OVERLAP * cores


@dataclass(frozen=True)
class Pending:
    """A cell that is not done: `elapsed_s` and `share` of its rounds, both 0 if it waits."""

    kind: str
    elapsed_s: float = 0.0
    share: float = 0.0


def left_s(
    pending: Iterable[Pending], durations_s: Mapping[str, Sequence[float]], at_once: int
) -> float | None:
    """Return the seconds until all pending cells are done, None if nothing is known yet.

    A cell takes as long as the mean of those of its kind that are done, else what its own pace
    so far or that of others comes to, else the mean of all that are done.

    Args:
        durations_s: kind -> seconds that cells of it took.
        at_once: cells that run side by side.
    """
    pending = list(pending)
    paces = {kind: list(seconds) for kind, seconds in durations_s.items() if seconds}
    for cell in pending:
        if cell.share > 0 and not durations_s.get(cell.kind):
            paces.setdefault(cell.kind, []).append(cell.elapsed_s / cell.share)
    if not paces:
        return None
    overall = fmean(s for seconds in paces.values() for s in seconds)
    whole = [fmean(paces[cell.kind]) if cell.kind in paces else overall for cell in pending]
    rest = [max(0.0, s - cell.elapsed_s) for s, cell in zip(whole, pending, strict=True)]
    return max(sum(rest) / max(1, at_once), max(rest, default=0.0))
