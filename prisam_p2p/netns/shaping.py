"""Shape what a peer sends: htb on its interface, with a class for each receiver.

Where the kernel has netem, it is the leaf of a class and delays packets. A class is never deleted,
because that would lose the packets queued in it; without a limit, it sends them at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from prisam_p2p.plan.link_properties import LinkState

Tc = Callable[..., Any]
"""pyroute2's IPRoute.tc, in the namespace of the interface."""

FRAME_BYTES = 1514
_UNLIMITED_MBIT_S = 32_000.0  # the most that the 32 bits of htb's rates hold
_QUEUE_S, _LEAST_QUEUE = 0.2, 10
_MOST_QUEUE = 1000
_BURST_S = 0.002
_ROOT, _ALL = 1 << 16, 1
_FIRST = 16  # the class of receiver 0
_ETH_P_IP = 0x0800


class Shaper:
    """Shapes the packets that one peer sends, by receiver.

    Args:
        tc: acts in the peer's namespace.
        interface: index of the peer's interface.
        up_mbit_s: limit over all that the peer sends; None = no limit.
        n_peers: number of peers, among which `up_mbit_s` is divided evenly.
        netem: whether the kernel has it.
    """

    def __init__(
        self, tc: Tc, interface: int, up_mbit_s: float | None, n_peers: int, netem: bool
    ) -> None:
        self._tc, self._interface, self._up = tc, interface, up_mbit_s
        self._share = up_mbit_s / (n_peers + 1) if up_mbit_s else None
        self._netem = netem
        self._there: set[int] = set()
        self._rooted = False
        if up_mbit_s:
            self._root()

    def set(self, receiver: int, address: str, state: LinkState) -> None:
        """Give packets to `receiver` the rate of `state`, and where netem is available, its delay.

        Args:
            receiver: its index; its class has a number that follows from it.
            address: its IPv4 address.

        Raises:
            pyroute2.NetlinkError: the kernel refused.
        """
        new = receiver not in self._there
        if new and state.rate_mbit_s is None and not (self._netem and _delayed(state)):
            return
        self._root()
        number = _FIRST + receiver
        self._class("add" if new else "change", number, state.rate_mbit_s)
        self._leaf("add" if new else "change", number, state)
        if new:
            key = f"0x{_hexadecimal(address)}/0xffffffff+16"
            self._tc(
                "add-filter",
                "u32",
                self._interface,
                parent=_ROOT,
                prio=number,
                protocol=_ETH_P_IP,
                target=_ROOT | number,
                keys=[key],
            )
            self._there.add(receiver)

    def _root(self) -> None:
        if self._rooted:
            return
        others = _ALL + 1 if self._up else 0  # 0: packets without a class are not shaped
        self._tc("add", "htb", self._interface, _ROOT, default=others)
        if self._up:
            self._one("add", _ALL, _ROOT, self._up, self._up)
            self._class("add", others, None)
        self._rooted = True

    def _class(self, do: str, number: int, rate_mbit_s: float | None) -> None:
        parent = _ROOT | _ALL if self._up else _ROOT
        ceiling = min(rate_mbit_s or _UNLIMITED_MBIT_S, self._up or _UNLIMITED_MBIT_S)
        self._one(do, number, parent, min(self._share or ceiling, ceiling), ceiling)

    def _one(self, do: str, number: int, parent: int, rate: float, ceiling: float) -> None:
        self._tc(
            f"{do}-class",
            "htb",
            self._interface,
            _ROOT | number,
            parent=parent,
            rate=_bits(rate),
            ceil=_bits(ceiling),
            burst=burst_bytes(ceiling),
            cburst=burst_bytes(ceiling),
            quantum=FRAME_BYTES,
        )

    def _leaf(self, do: str, number: int, state: LinkState) -> None:
        limit = _queue_packets(state)
        where = (self._interface, number << 16)
        if self._netem:
            times = {"delay": round(state.delay_ms * 1000), "jitter": round(state.jitter_ms * 1000)}
            self._tc(do, "netem", *where, parent=_ROOT | number, limit=limit, **times)
        else:
            self._tc(do, "pfifo", *where, parent=_ROOT | number, limit=limit)


def limit_port(tc: Tc, interface: int, down_mbit_s: float) -> None:
    """Limit all that a peer receives, at the bridge's port to it.

    Raises:
        pyroute2.NetlinkError: the kernel refused.
    """
    tc(
        "add",
        "tbf",
        interface,
        _ROOT,
        rate=_bits(down_mbit_s),
        burst=burst_bytes(down_mbit_s),
        limit=max(_LEAST_QUEUE * FRAME_BYTES, round(down_mbit_s * 125_000 * _QUEUE_S)),
    )


def burst_bytes(rate_mbit_s: float) -> int:
    """Return the burst size in bytes: two milliseconds at this rate, at least two frames."""
    return max(2 * FRAME_BYTES, round(rate_mbit_s * 125_000 * _BURST_S))


def _queue_packets(state: LinkState) -> int:
    rate_mbit_s = state.rate_mbit_s or _UNLIMITED_MBIT_S
    held_s = _QUEUE_S + (state.delay_ms + state.jitter_ms) / 1000
    whole = math.ceil(rate_mbit_s * 125_000 * held_s / FRAME_BYTES)
    most = 100 * _MOST_QUEUE if _delayed(state) else _MOST_QUEUE
    return min(most, max(_LEAST_QUEUE, whole))


def _delayed(state: LinkState) -> bool:
    return state.delay_ms > 0 or state.jitter_ms > 0


def _bits(rate_mbit_s: float) -> str:
    return f"{round(rate_mbit_s * 1_000_000)}bit"


def _hexadecimal(address: str) -> str:
    return "".join(f"{int(part):02x}" for part in address.split("."))
