"""Decide whether a cell may start beside those that run, by cores and memory. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OVERLAP = 1.0
"""The most cores that running cells may need together, as a multiple of the host's cores."""

MEMORY_SHARE = 0.8
"""The share of the memory free without any cell that running cells may use together."""


@dataclass(frozen=True)
class Need:
    """The resources of a cell.

    Attributes:
        cores: that its peers can keep busy.
        memory_mib: None if it is not known yet.
    """

    cores: float
    memory_mib: float | None


def may_start(
    running: Sequence[Need], new: Need, cores: int, free_mib: float, jobs: int | None
) -> bool:
    """Tell whether a cell may start beside those that run.

    The only cell may always start. Without `jobs`, a cell of unknown memory runs alone, so that its
    memory can be measured.

    Args:
        cores: of the host.
        free_mib: memory that was free when no cell ran.
        jobs: the most cells at a time, by the user; None = as many as keep the cores busy.
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
