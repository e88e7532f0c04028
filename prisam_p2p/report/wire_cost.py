"""Bytes of a connection's direction on Ethernet, and the share of each message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prisam_p2p.report.counts import total
from prisam_p2p.report.directions import Side
from prisam_p2p.report.explanation import KERNEL, MODEL, Explained
from prisam_p2p.report.kernel import KernelSocket
from prisam_p2p.wire import ethernet

KERNEL_AND_MODEL = "kernel+model"

HANDSHAKE_SEGMENTS = 3
"""The greeting goes out in two parts, READY in a third."""

_OPEN_AND_CLOSE = {"client": 3, "server": 2}
"""Segments without data beside ACKs of data, where the kernel gives none: SYN, ACK, FIN of a
client; FIN and the ACK of the other's FIN of a server."""


@dataclass(frozen=True)
class WireCost:
    """A direction on the wire, with the segments without data that its bytes caused.

    Attributes:
        source: kernel; kernel+model (segments modelled for an MTU of 1500); model.
        retransmitted: bytes sent again.
        data_segments: segments with data in this direction.
        pure_segments: segments without data in the other: ACKs, SYN, FIN.
        bytes: stream, retransmitted bytes, headers of all these segments, extra bytes of a SYN.
    """

    source: str
    retransmitted: int
    data_segments: int
    pure_segments: int
    bytes: int


def wire_cost(explained: Explained, bulk: bool, mtu: int) -> WireCost:
    """Return what a direction costs.

    Args:
        bulk: whether large transfers go this way (the server's direction of a bulk connection).
        mtu: of the interface that the kernel counted on.
    """
    if explained.source == MODEL:
        return _modelled(explained, bulk)
    direction = explained.direction
    out, back = direction.at_sender, direction.at_receiver
    return counted_cost(out, back, direction.side, explained.stream, bulk, mtu)


def counted_cost(
    out: KernelSocket | None,
    back: KernelSocket | None,
    side: Side,
    stream: int,
    bulk: bool,
    mtu: int,
) -> WireCost:
    """Return the cost of a direction of which the kernel counted at least one end.

    Args:
        out, back: the sender's socket, and the receiver's.
        side: of the sender.
        stream: bytes that left the sender, each counted once. What `out` counted beyond it are
            local drops: their segments, taken for full ones, are no part of the cost.
        bulk, mtu: as in `wire_cost`.
    """
    again = out.retransmitted if out else 0
    data, pure = _data_segments(out, back, stream, mtu), _pure_segments(out, back, side)
    if mtu <= ethernet.MTU:
        return _cost(stream, side, KERNEL, again, data, pure)
    data = ethernet.data_segments(data, stream + again)
    return _cost(stream, side, KERNEL_AND_MODEL, again, data, ethernet.acks(pure, data, bulk))


def share_out(overhead: int, weights: Sequence[int]) -> list[int]:
    """Share out `overhead` in proportion to `weights`, in whole parts that add up to it.

    Largest remainders get the odd bytes, the first of equal ones first; all to the first part
    where no weight is above 0.
    """
    whole = sum(weights)
    if not whole:
        return [overhead, *([0] * (len(weights) - 1))]
    parts = [overhead * weight // whole for weight in weights]
    rests = [overhead * weight % whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: -rests[i])
    for i in order[: overhead - sum(parts)]:
        parts[i] += 1
    return parts


def _cost(stream: int, side: Side, source: str, again: int, data: int, pure: int) -> WireCost:
    n_bytes = ethernet.wire_bytes(stream, again, data, pure, _other(side))
    return WireCost(source, again, data, pure, n_bytes)


def _modelled(explained: Explained, bulk: bool) -> WireCost:
    """No kernel: every message alone in its segments; an ACK for each, for every other if bulk."""
    side = explained.direction.side
    data = total(explained.direction.counts.values()).segments + HANDSHAKE_SEGMENTS
    acks = ethernet.acks(0, data, bulk) if bulk else data
    pure = acks + _OPEN_AND_CLOSE[_other(side)]
    return _cost(explained.stream, side, MODEL, 0, data, pure)


def _data_segments(
    out: KernelSocket | None, back: KernelSocket | None, stream: int, mtu: int
) -> int:
    """Return the segments with data that left the sender: at least those that arrived."""
    arrived = back.data_segs_in if back else 0
    if not out:
        return arrived
    if out.stream == stream:
        return out.data_segs_out
    dropped = ethernet.segments(out.stream - stream, mtu)
    return max(arrived, out.data_segs_out - dropped)


def _pure_segments(out: KernelSocket | None, back: KernelSocket | None, side: Side) -> int:
    """Return the receiver's segments without data.

    By the sender's count if the receiver's is missing: the sender sees a server's SYN-ACK, which
    the server's own socket does not count, and does not see a client's SYN.
    """
    if back:
        return back.segs_out - back.data_segs_out
    if out:
        return max(0, out.segs_in - out.data_segs_in + (1 if side == "server" else -1))
    return 0


def _other(side: Side) -> Side:
    return "server" if side == "client" else "client"
