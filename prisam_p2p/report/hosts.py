"""The hosts of a run: which there were, where each peer was, and which were lost.

From plan.json and the launcher's journal. A run without hosts has none, and every host is "".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from prisam_p2p.report.run_folder import Line, RunFolder


@dataclass(frozen=True)
class HostStay:
    """A host from when its agent answered until it was lost, or the run ended.

    Attributes:
        node: its own name.
        address: of all its peers.
        mtu: of the interface to the other hosts; None: not known.
        from_s, lost_s: on the run's clock; lost_s is infinite if it was not lost.
        reason, silent_s: why it counts as lost, and for how long it was not heard.
        peers: those that had a process there when it was lost.
    """

    host: str
    node: str
    address: str
    mtu: int | None = None
    from_s: float = -math.inf
    lost_s: float = math.inf
    reason: str = ""
    silent_s: float = 0.0
    peers: tuple[str, ...] = ()

    @property
    def is_lost(self) -> bool:
        """Whether the run lost it."""
        return self.lost_s < math.inf


@dataclass
class RunHosts:
    """Attributes.

    stays: host -> its stays, in their order: a run that was resumed has had it more than once.
    homes: peer -> (when, host) of each of its processes, in their order.
    bounds: host -> the largest bound of its clock's offset, in seconds.
    lines: host -> (bytes sent to, bytes received from) its agent.
    """

    stays: dict[str, list[HostStay]] = field(default_factory=dict)
    homes: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stays)

    def take(self, line: Line) -> None:
        """Take in the next line of the launcher's journal."""
        match line["record"]:
            case "host_up":
                stay = HostStay(
                    line["host"], line["node"], line["address"], line["mtu"], line["t_s"]
                )
                before = [x for x in self.stays.get(line["host"], ()) if x.from_s > -math.inf]
                self.stays[line["host"]] = [*before, stay]
            case "host_lost" if stays := self.stays.get(line["host"]):
                how = {key: line[key] for key in ("reason", "silent_s")}
                stays[-1] = replace(
                    stays[-1], lost_s=line["t_s"], peers=tuple(line["peers"]), **how
                )
            case "host_clock":
                known = self.bounds.get(line["host"], 0.0)
                self.bounds[line["host"]] = max(known, line["bound_s"])
            case "host_line":
                sent, received = self.lines.get(line["host"], (0, 0))
                both = sent + line["sent_bytes"], received + line["received_bytes"]
                self.lines[line["host"]] = both
            case "peer_started" if line.get("host"):
                self.homes.setdefault(line["peer"], []).append((line["t_s"], line["host"]))

    def of_peer(self, peer: str) -> str:
        """Return the host of a peer's last process, "" if it had none."""
        homes = self.homes.get(peer)
        return homes[-1][1] if homes else ""

    def of_address(self, address: str, peer: str, at_s: float) -> str:
        """Return the host that an end of a connection was on.

        By its address, which all peers of a host share; where no host has it, by the peer.

        Args:
            address: host:port of this end.
            peer: whose end it is, "" if unknown.
            at_s: when the connection was there.
        """
        if not self:
            return ""
        bare = address.rpartition(":")[0]
        there = [x for each in self.stays.values() for x in each if x.address == bare]
        if there:
            before = [x for x in there if x.from_s <= at_s]
            return max(before or there, key=lambda x: x.from_s).host
        homes = self.homes.get(peer, [])
        return next((host for t_s, host in reversed(homes) if t_s <= at_s), "")

    def was_lost(self, host: str, at_s: float) -> bool:
        """Tell whether the stay of a host that was there at a time ended with its loss."""
        stays = [x for x in self.stays.get(host, ()) if x.from_s <= at_s]
        return bool(stays) and stays[-1].is_lost

    def losses(self) -> list[HostStay]:
        """Return the stays that ended with the loss of the host, in the order of the losses."""
        stays = (x for each in self.stays.values() for x in each if x.is_lost)
        return sorted(stays, key=lambda x: x.lost_s)


def run_hosts(run: RunFolder) -> RunHosts:
    """Return the hosts of a run."""
    return hosts_of(run.plan, run.journals["launcher"])


def hosts_of(plan: Mapping[str, Any], lines: Iterable[Line]) -> RunHosts:
    """Return the hosts of a run from its plan and its launcher's journal."""
    planned = plan.get("hosts") or {}
    found = RunHosts(
        {
            host: [HostStay(host, each["node"], each["address"])]
            for host, each in planned.get("hosts", {}).items()
        },
        {peer: [(-math.inf, host)] for peer, host in planned.get("placement", {}).items()},
    )
    for line in lines:
        found.take(line)
    return found
