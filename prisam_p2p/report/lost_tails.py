"""What is lost with a host, or with the launcher: the last records of peers, never collected.

A journal is collected about once a second, so up to a second of it, or more where the network was
cut first, is nowhere. What others say of that time can be neither proved nor refuted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from prisam_p2p.report.hosts import run_hosts
from prisam_p2p.report.run_folder import RunFolder


@dataclass(frozen=True)
class LostTail:
    """The time of which a peer's journal is missing.

    Attributes:
        since_s: its last record before; minus infinity if there was none. Earlier by what the
            clocks of two hosts may differ.
        until_s: the first record of its next process; infinity if there was none. Later by that.
    """

    peer: str
    since_s: float
    until_s: float

    def hides(self, peer: str, t_s: float) -> bool:
        """Tell whether what a peer recorded at a time, or just before it, is missing."""
        return peer == self.peer and self.since_s <= t_s <= self.until_s


def lost_tails(run: RunFolder) -> list[LostTail]:
    """Return the missing ends of journals: of peers whose hosts, or whose launcher, were lost."""
    hosts = run_hosts(run)
    apart_s = 2 * max(hosts.bounds.values(), default=0.0)
    of_hosts = [(peer, stay.lost_s) for stay in hosts.losses() for peer in stay.peers]
    of_launcher = [(peer, lost_s) for lost_s in _cut_off(run) for peer in run.peers]
    return [_tail(run, peer, lost_s, apart_s) for peer, lost_s in of_hosts + of_launcher]


def _cut_off(run: RunFolder) -> list[float]:
    """Return when launches on several hosts were cut off: their launcher's last records."""
    found, on_hosts, last_s = [], False, 0.0
    for line in run.journals["launcher"]:
        match line["record"]:
            case "run_started":
                found += [last_s] * on_hosts
                on_hosts = False
            case "host_up":
                on_hosts = True
            case "run_ended":
                on_hosts = False
        last_s = line["t_s"]
    return found


def _tail(run: RunFolder, peer: str, lost_s: float, apart_s: float) -> LostTail:
    began_s = [line["t_s"] for line in run.records(peer, "started") if line["t_s"] > lost_s]
    until_s = min(began_s, default=math.inf)
    before_s = [line["t_s"] for line in run.journals[peer] if line["t_s"] < until_s]
    return LostTail(peer, max(before_s, default=-math.inf) - apart_s, until_s + apart_s)
