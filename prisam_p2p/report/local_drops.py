"""Local drops: bytes that TCP counted as sent, and that never left their host.

Linux counts a segment as sent when it hands it to the interface's queue. If that queue is full, the
segment is dropped there, and TCP takes it for new when it sends it once more: it is counted as sent
twice, and never as retransmitted. docs/decisions/0051-local-drops.md.
"""

from __future__ import annotations

from prisam_p2p.report.kernel import KernelSocket


def streams_that_left(out: KernelSocket, back: KernelSocket, opened: bool) -> list[int]:
    """Return the possible lengths of the stream that left the sender, in bytes.

    Usually one: what the sender counted, each byte once. That is more than its process ever wrote
    if there were local drops. Then it is what was written, if the receiver's kernel agrees. Two
    lengths in that case, the shorter first: a FIN counts as a byte, and the kernel does not tell
    whether there was one. Where the two kernels disagree, nothing is taken off.

    Args:
        out, back: the sender's socket, and the receiver's.
        opened: the sender opened the connection, so that its SYN was acknowledged too.
    """
    if out.bytes_acked is None or out.unacked is None:
        return [out.stream]
    acked = out.bytes_acked - opened
    late_fin = (
        acked == back.received + 1
    )  # came in TIME_WAIT: acknowledged, but counted by no socket
    acked -= late_fin
    written = acked + out.unacked
    if out.stream <= written or not acked <= back.received <= written:
        return [out.stream]
    return [written] if late_fin or not written else [written - 1, written]
