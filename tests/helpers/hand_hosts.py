"""Run folders of two hosts, made by hand: p01 and p02 live on h1, p03 on h2.

All peers of a host share its address. Each host's kernel tells of the sockets of its own address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hand_runs import PEERS, HandConnection, HandRun, write_journal

from prisam_p2p.report.run_folder import RunFolder

HOMES = {"p01": "h1", "p02": "h1", "p03": "h2"}
ADDRESSES = {"h1": "10.77.0.1", "h2": "10.77.0.2"}
LOST_S, WHY = 12.0, "no answer for 10 s"


@dataclass
class HandHosts(HandRun):
    """A run on two hosts.

    Attributes:
        homes: peer -> its first host.
        between_mtu: of the network between the hosts.
        lost: the host that is lost at LOST_S.
        moved: peers of the lost host that are started again on the other.
        states: peer -> its final state, if it did not complete.
        nodes: what hosts call themselves, if not as in the plan.
        addressed: whether host_up tells the hosts' addresses; else only the plan does.
    """

    homes: dict[str, str] = field(default_factory=lambda: dict(HOMES))
    between_mtu: int = 1500
    lost: str = ""
    moved: tuple[str, ...] = ()
    states: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    addressed: bool = True

    def connect(self, client: str, server: str, channel: str, **more: object) -> HandConnection:
        """Add a connection between the peers' hosts; each server has a port of its own."""
        made = super().connect(client, server, channel, **more)
        if made.at is None:
            here, there = (ADDRESSES[self.homes[peer]] for peer in (client, server))
            made.at = f"{here}:{made.port}", f"{there}:{5550 + PEERS.index(server)}"
        return made

    def plan(self) -> dict:
        """The run's plan.json, with what it says of hosts."""
        offers = {
            host: {"name": host, "node": f"node-of-{host}", "address": address}
            | {"cores": 2, "memory_mib": 4096, "gpus": 0}
            for host, address in ADDRESSES.items()
        }
        return {**super().plan(), "hosts": {"hosts": offers, "placement": self.homes}}

    def kernels(self) -> dict[str, list[dict]]:
        """A journal a host; that of a lost host has no last line."""
        found: dict[str, list[dict]] = {}
        (kernel,) = super().kernels().values()
        for host, address in ADDRESSES.items():
            lines = [x for x in kernel if x.get("local", "").startswith(f"{address}:")]
            watch = {**kernel[-1], "mtu": 65536, "host": host, "between_mtu": self.between_mtu}
            if host == self.lost:
                lines, watch = [x for x in lines if x["t_s"] < LOST_S - 1], {}
            found[f"kernel-{host}"] = [*lines, *([watch] if watch else [])]
        return found

    def write(self, folder: Path) -> RunFolder:
        """Write plan and journals, the launcher's too."""
        run = super().write(folder)
        write_journal(folder, "launcher", self._launcher())
        return run

    def _launcher(self) -> list[dict]:
        lines: list[dict] = [{"t_s": 0.0, "record": "run_started", "run_id": "ab", "pid": 1}]
        lines[0] |= {"algorithm": "prisam", "peers": len(PEERS), "launches": 0}
        for host, address in ADDRESSES.items() if self.addressed else ():
            up = {"host": host, "address": address, "pid": 7, "cores": 2}
            up |= {"node": self.nodes.get(host, f"node-of-{host}")}
            up |= {"memory_mib": 4096, "gpus": [], "mtu": self.between_mtu, "kernel": ""}
            lines.append({"t_s": 0.1, "record": "host_up", **up, "facts": {}})
            for at_s, bound_s in ((0.2, 0.0004), (10.0, 0.0002)):
                clock = {"host": host, "offset_s": 5.0, "bound_s": bound_s, "changed_s": 0.0}
                lines.append({"t_s": at_s, "record": "host_clock", **clock})
        lines += [_started(0.3, peer, self.homes[peer], 0) for peer in PEERS]
        ready = {"wall_s": 1.0, "cpu_s_per_peer": None, "pss_mib_per_peer": None}
        lines.append({"t_s": 1.5, "record": "all_ready", **ready})
        if self.lost:
            gone = [peer for peer, host in self.homes.items() if host == self.lost]
            lost = {"host": self.lost, "node": f"node-of-{self.lost}", "reason": WHY}
            lost |= {"silent_s": 10.0, "peers": gone}
            lines.append({"t_s": LOST_S, "record": "host_lost", **lost})
            (other,) = ADDRESSES.keys() - {self.lost}
            lines += [_started(LOST_S + 1, peer, other, 1) for peer in self.moved]
        for host in ADDRESSES:
            line = {"host": host, "sent_bytes": 700, "received_bytes": 9000}
            lines.append({"t_s": 21.0, "record": "host_line", **line})
        states = {peer: self.states.get(peer, "completed") for peer in PEERS}
        end = {"status": "completed", "duration_s": 21.0, "states": states}
        return [*lines, {"t_s": 21.0, "record": "run_ended", **end}]


def _started(at_s: float, peer: str, host: str, incarnation: int) -> dict:
    started = {"peer": peer, "pid": 7, "incarnation": incarnation, "host": host}
    return {"t_s": at_s, "record": "peer_started", **started}


def on_two_hosts(**more: object) -> HandHosts:
    """p02 pulls from p01 on its own host, and p03 hears p01's mask from the other.

    Streams as in `hand_runs.orderly`: bulk p02 -> p01 236 and 300,187; control p03 -> p01 164, 168.
    """
    run = HandHosts(**more)  # type: ignore[arg-type]
    bulk = run.connect("p02", "p01", "bulk")
    bulk.there.both("hello", 0, (1, 0, 55, 2, 1))
    bulk.there.both("request", 0, (3, 0, 66, 6, 3))
    bulk.back.both("hello", 0, (1, 0, 4, 2, 1))
    bulk.back.both("weights", 0, (2, 300_000, 52, 22, 208))
    third = run.connect("p03", "p01", "control")
    third.there.both("hello", -1, (1, 0, 55, 2, 1))
    third.back.both("hello", -1, (1, 0, 4, 2, 1))
    third.back.both("mask", 0, (1, 44, 7, 4, 1))
    return run
