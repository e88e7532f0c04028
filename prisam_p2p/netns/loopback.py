"""Plain loopback: an address of 127.0.0.0/8 per peer, with the kernel alone in between.

The application emulates rates, delays and cuts there (transport/). This network knows addresses
only, so its counts are always 0.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from prisam_p2p.netns.interface import Counts, Helper, NetworkError
from prisam_p2p.plan.link_properties import Link, LinkState
from prisam_p2p.system import sock_diag


class Loopback:
    """See interface.Network."""

    def __init__(self, peers: Sequence[str], run_id: str) -> None:
        self.addresses: Mapping[str, str] = {
            peer: _address(run_id, index) for index, peer in enumerate(peers)
        }
        self.on_wait: Callable[[], object] | None = None
        self._sockets: list[socket.socket] = []

    def helpers(self) -> list[Helper]:
        """See interface.Network: there are none."""
        return []

    def entry(self, peer: str) -> None:
        """See interface.Network: there is no namespace to enter."""

    def apply(self, states: Mapping[Link, LinkState]) -> None:
        """See interface.Network: does nothing, as the application emulates link states."""

    def counts(self, link: Link) -> Counts:
        """See interface.Network."""
        return Counts()

    def evidence(self, link: Link) -> int:
        """See interface.Network."""
        return 0

    def watch_sockets(self) -> list[socket.socket]:
        """See interface.Network."""
        try:
            self._sockets.append(sock_diag.listen())
        except (OSError, ValueError) as error:
            raise NetworkError(str(error)) from error
        return self._sockets[-1:]

    def dump_sockets(self) -> list[socket.socket]:
        """See interface.Network: none, as sock_diag.dump() opens its own in this namespace."""
        return []

    def close(self) -> None:
        """See interface.Network."""
        for each in self._sockets:
            each.close()
        self._sockets.clear()


def _address(run_id: str, index: int) -> str:
    """Return a loopback address for one peer, so that an address pair identifies a directed link.

    The second byte usually differs between concurrent runs. Only Linux has all of 127.0.0.0/8.
    """
    if sys.platform != "linux":
        return "127.0.0.1"
    return f"127.{1 + int(run_id[:2], 16) % 254}.{index // 250}.{1 + index % 250}"
