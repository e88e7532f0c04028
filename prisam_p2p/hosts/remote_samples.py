"""Samples of processes on several hosts, made one look at all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prisam_p2p.processes.sampling import Sample, sample_of

_PATIENCE_S = 3.0
"""Hosts send samples every second, or every two of many peers."""


class RemoteSamples:
    """Keeps what has come until every host has told something new, so that none is seen twice.

    After a while it goes on without a host that is late: its peers are then not seen at all, which
    is no stall of theirs.
    """

    def __init__(self, now_s: float) -> None:
        self._new: dict[str, list[Sample]] = {}
        self._since_s = now_s

    def add(self, host: str, rows: Sequence[Sequence[Any]]) -> None:
        """Take in the samples of a host."""
        self._new[host] = [sample_of(row) for row in rows]

    def take(self, hosts: Iterable[str], now_s: float) -> list[Sample] | None:
        """Return samples of all processes, None where it is not time yet.

        Args:
            hosts: those that have processes.
        """
        if not self._new:
            return None
        if now_s - self._since_s < _PATIENCE_S and not self._new.keys() >= set(hosts):
            return None
        new, self._new, self._since_s = self._new, {}, now_s
        return [sample for samples in new.values() for sample in samples]
