"""A network namespace per peer, joined by a bridge; with or without root. See docs/network.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from prisam_p2p.netns.holder_line import HolderLine
from prisam_p2p.netns.interface import Counts, NetworkError, Rates
from prisam_p2p.plan.link_properties import CLEAR, Link, LinkState

CONGESTIONS = ("cubic", "reno")
"""What most devices run, and what is allowed everywhere. It is pinned, for a kernel's own default
may be another (BBR), and weighs more than losses do."""


class Namespaces:
    """See interface.Network.

    Args:
        peers: their ids.
        rates: bounds over all links of a peer.
        congestions: TCP's congestion control in every namespace: the first of these allowed.
        own_user: make a user namespace also where there is the right to do without.

    Attributes:
        congestion: which it became.
        delay_by: what holds packets back, "netem" or "nfqueue"; None: nothing, and `apply` of a
            delay fails.

    Raises:
        NetworkError: the kernel refused.
    """

    def __init__(
        self,
        peers: Sequence[str],
        rates: Rates | None = None,
        congestions: Sequence[str] = CONGESTIONS,
        own_user: bool = False,
    ) -> None:
        self._indices = {peer: index for index, peer in enumerate(peers)}
        self.addresses: Mapping[str, str] = {
            peer: f"10.0.{index // 250}.{1 + index % 250}" for peer, index in self._indices.items()
        }
        self.congestion, self.delay_by = "", None
        self._user_fd: int | None = None
        self._net_fds: list[int] = []
        self._watching: list[socket.socket] = []
        self._dumping: list[socket.socket] = []
        self._unwatched = ""
        self._line = HolderLine()
        try:
            self._build(rates or {}, congestions, own_user)
        except BaseException:
            self.close()
            raise

    def entry(self, peer: str) -> dict[str, int | None]:
        """See interface.Network."""
        return {"net_fd": self._net_fds[self._indices[peer]], "user_fd": self._user_fd}

    def apply(self, states: Mapping[Link, LinkState]) -> None:
        """See interface.Network."""
        wanted = [
            (self._indices[sender], self._indices[receiver], asdict(state))
            for (sender, receiver), state in states.items()
            if state != CLEAR
        ]
        self._ask({"apply": wanted}, "applied")

    def counts(self, link: Link) -> Counts:
        """See interface.Network."""
        sender, receiver = link
        order = {"count": (self._indices[sender], self._indices[receiver])}
        return Counts(**self._ask(order, "counts")["counts"])

    def evidence(self, link: Link) -> int:
        """See interface.Network."""
        return self.counts(link).evidence

    def watch_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        if self._unwatched:
            raise NetworkError(self._unwatched)
        return self._watching

    def dump_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        if self._unwatched:
            raise NetworkError(self._unwatched)
        return self._dumping

    def close(self) -> None:
        """See interface.Network: the holder ends at the end of its line, and all goes with it."""
        self._line.close()
        for each in self._watching + self._dumping:
            each.close()
        for fd in (*self._net_fds, self._user_fd):
            if fd is not None:
                os.close(fd)
        self._net_fds, self._user_fd = [], None

    def _build(self, rates: Rates, congestions: Sequence[str], own_user: bool) -> None:
        peers = [
            (address, *rates.get(peer, (None, None))) for peer, address in self.addresses.items()
        ]
        order = {"peers": peers, "congestions": congestions, "own_user": own_user}
        for answer, descriptors in self._line.ask({"build": order}, "built"):
            if "place" in answer:
                self._take_over(answer["unwatched"], *descriptors)
            else:
                facts = answer["built"]
                self.congestion, self.delay_by = facts["congestion"], facts["delay_by"]
                self._user_fd = descriptors[0] if descriptors else None

    def _ask(self, order: dict[str, Any], answered: str) -> dict[str, Any]:
        """Send an order; return the answer, which has the key `answered`."""
        ((answer, _),) = self._line.ask(order, answered)
        return answer

    def _take_over(self, unwatched: str, net_fd: int, *sockets: int) -> None:
        """Take the descriptors that came with one peer's place."""
        self._net_fds.append(net_fd)
        self._unwatched = self._unwatched or unwatched
        if sockets:
            watching, dumping = (socket.socket(fileno=fd) for fd in sockets)
            watching.setblocking(False)
            self._watching.append(watching)
            self._dumping.append(dumping)
