"""A network namespace per peer, joined by a bridge; works without root. See docs/network.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from prisam_p2p.netns.holder_client import HolderClient
from prisam_p2p.netns.interface import Counts, Helper, NetworkError, Rates, Tunnel
from prisam_p2p.plan.link_properties import CLEAR, Link, LinkState

CONGESTIONS = ("cubic", "reno")
"""The default of most devices, and one that is allowed everywhere. It is set explicitly, because a
kernel's default may differ (BBR), and that changes throughput more than losses do."""


class Namespaces:
    """See interface.Network.

    Args:
        peers: their ids, of all hosts.
        rates: limits over all links of a peer; absent peers have none.
        congestions: names of TCP congestion controls; all namespaces use the first one allowed.
        own_user: make a user namespace also where this process has enough rights without.
        here: the peers that live on this host; None = all.
        tunnel: to the other hosts; None = there are none.
        on_wait: see interface.Network; it is called from the beginning.

    Attributes:
        congestion: the congestion control in use.
        delay_by: what delays packets, "netem" or "nfqueue"; with None, `apply` of a delay fails.

    Raises:
        NetworkError: the kernel refused.
    """

    def __init__(
        self,
        peers: Sequence[str],
        rates: Rates | None = None,
        congestions: Sequence[str] = CONGESTIONS,
        own_user: bool = False,
        here: Collection[str] | None = None,
        tunnel: Tunnel | None = None,
        on_wait: Callable[[], object] | None = None,
    ) -> None:
        self._indices = {peer: index for index, peer in enumerate(peers)}
        self._here = [peer for peer in peers if here is None or peer in here]
        self.addresses: Mapping[str, str] = addresses_in_namespaces(peers)
        self.congestion, self.delay_by = "", None
        self._user_fd: int | None = None
        self._net_fds: dict[str, int] = {}
        self._watching: list[socket.socket] = []
        self._dumping: list[socket.socket] = []
        self._no_sock_diag = ""
        self._delay_pid: int | None = None
        self._holder = HolderClient()
        self._holder.on_wait = on_wait
        try:
            self._build(rates or {}, congestions, own_user, tunnel)
        except BaseException:
            self.close()
            raise

    @property
    def on_wait(self) -> Callable[[], object] | None:
        """See interface.Network."""
        return self._holder.on_wait

    @on_wait.setter
    def on_wait(self, look: Callable[[], object] | None) -> None:
        self._holder.on_wait = look

    def helpers(self) -> list[Helper]:
        """See interface.Network: the holder process, before it the process that delays packets."""
        name = "holder of the network namespaces"
        holder = Helper(name, self._holder.pid, self._holder.is_awaited)
        if self._delay_pid is None:
            return [holder]
        return [Helper("delay process", self._delay_pid, carries_packets=True), holder]

    def entry(self, peer: str) -> dict[str, int | None]:
        """See interface.Network."""
        return {"net_fd": self._net_fds[peer], "user_fd": self._user_fd}

    def apply(self, states: Mapping[Link, LinkState]) -> None:
        """See interface.Network."""
        wanted = [
            (self._indices[sender], self._indices[receiver], asdict(state))
            for (sender, receiver), state in states.items()
            if state != CLEAR
        ]
        self._delay_pid = self._ask({"apply": wanted}, "applied")["delay_pid"]

    def counts(self, link: Link) -> Counts:
        """See interface.Network. Of links to peers of this host only: there they are counted."""
        sender, receiver = link
        if receiver not in self._here:
            raise NetworkError(f"packets to {receiver} are counted on the host that it lives on")
        order = {"count": (self._indices[sender], self._indices[receiver])}
        return Counts(**self._ask(order, "counts")["counts"])

    def evidence(self, link: Link) -> int:
        """See interface.Network."""
        return self.counts(link).evidence

    def watch_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        if self._no_sock_diag:
            raise NetworkError(self._no_sock_diag)
        return self._watching

    def dump_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        if self._no_sock_diag:
            raise NetworkError(self._no_sock_diag)
        return self._dumping

    def close(self) -> None:
        """See interface.Network: the holder process ends, and the namespaces with it."""
        self._holder.close()
        for each in self._watching + self._dumping:
            each.close()
        for fd in (*self._net_fds.values(), self._user_fd):
            if fd is not None:
                os.close(fd)
        self._net_fds, self._user_fd = {}, None

    def _build(
        self, rates: Rates, congestions: Sequence[str], own_user: bool, tunnel: Tunnel | None
    ) -> None:
        order = {
            "peers": [
                (self._indices[peer], self.addresses[peer], *rates.get(peer, (None, None)))
                for peer in self._here
            ],
            "addresses": list(self.addresses.values()),
            "congestions": congestions,
            "own_user": own_user,
            "tunnel": asdict(tunnel) if tunnel else None,
        }
        made = iter(self._here)
        for answer, descriptors in self._holder.ask({"build": order}, "built"):
            if "namespace" in answer:
                self._take_over(next(made), answer["no_sock_diag"], *descriptors)
            else:
                facts = answer["built"]
                self.congestion, self.delay_by = facts["congestion"], facts["delay_by"]
                self._user_fd = descriptors[0] if descriptors else None

    def _ask(self, order: dict[str, Any], answered: str) -> dict[str, Any]:
        """Send an order, and return its answer, which has the key `answered`."""
        ((answer, _),) = self._holder.ask(order, answered)
        return answer

    def _take_over(self, peer: str, no_sock_diag: str, net_fd: int, *sockets: int) -> None:
        """Keep the descriptors that the holder sent for one peer's namespace."""
        self._net_fds[peer] = net_fd
        self._no_sock_diag = self._no_sock_diag or no_sock_diag
        if sockets:
            watching, dumping = (socket.socket(fileno=fd) for fd in sockets)
            watching.setblocking(False)
            self._watching.append(watching)
            self._dumping.append(dumping)


def addresses_in_namespaces(peers: Sequence[str]) -> dict[str, str]:
    """Return peer -> the IPv4 address of its namespace, the same on all hosts."""
    return {peer: f"10.0.{index // 250}.{1 + index % 250}" for index, peer in enumerate(peers)}
