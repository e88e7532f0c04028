"""How many heartbeats a connection carried: libzmq does not report it, so the stream must show it.

A stream without its messages and handshake must be a whole number of PINGs one way and of PONGs the
other, with as many PONGs as PINGs or a few fewer (the last PINGs were not answered before the end),
and no more PINGs than fit into the connection's life.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prisam_p2p.wire.zmtp import Mechanism

MOST_UNANSWERED = 4
SLACK_PINGS = 2


@dataclass(frozen=True)
class Account:
    """One reading of a direction: the kernel's stream less the handshake less one end's messages.

    Attributes:
        residue: bytes that are left; all of them heartbeats if nothing was lost.
        excess: bytes beyond the heartbeats that can be explained (part of a message).
        lack: missing bytes that can be explained (messages that never left).
        in_flight: more missing bytes that can be explained (heartbeats that never arrived).
    """

    residue: int
    excess: int = 0
    lack: int = 0
    in_flight: int = 0

    def rest(self, heartbeat_bytes: int) -> int:
        """Return the bytes left without `heartbeat_bytes`; negative: missing bytes."""
        return self.residue - heartbeat_bytes

    def unexplained(self, heartbeat_bytes: int) -> int:
        """Return the bytes, too many or too few, that nothing explains."""
        rest = self.rest(heartbeat_bytes)
        return 0 if -self.lack - self.in_flight <= rest <= self.excess else abs(rest)


@dataclass(frozen=True)
class Heartbeats:
    """Numbers of PINGs (client to server) and PONGs (back)."""

    pings: int = 0
    pongs: int = 0


def most_pings(heartbeat_ms: int, life_s: float) -> int:
    """Return how many PINGs fit into a connection's life; 0 if it has no heartbeats."""
    return int(life_s * 1000 / heartbeat_ms) + SLACK_PINGS if heartbeat_ms else 0


def find_heartbeats(
    there: Sequence[Account], back: Sequence[Account], most: int, mechanism: Mechanism
) -> Heartbeats:
    """Return the numbers that leave the fewest bytes unexplained, and then the fewest lost.

    Args:
        there, back: accounts of client to server, and of server to client.
        most: largest number of PINGs.
    """
    candidates = _candidates(there, back, most, mechanism)
    return min(candidates, key=lambda h: _cost(h, there, back, mechanism))


def _candidates(
    there: Sequence[Account], back: Sequence[Account], most: int, mechanism: Mechanism
) -> Iterator[Heartbeats]:
    """Yield the pairs near the numbers that each account alone suggests."""
    near = {0}
    for account in there:
        near |= {account.residue // mechanism.ping_bytes + d for d in (-1, 0, 1)}
    for account in back:
        near |= {
            account.residue // mechanism.pong_bytes + d for d in range(-1, MOST_UNANSWERED + 2)
        }
    for pings in sorted({min(max(n, 0), most) for n in near}):
        for pongs in range(max(0, pings - MOST_UNANSWERED), pings + 1):
            yield Heartbeats(pings, pongs)


def _cost(
    numbers: Heartbeats, there: Sequence[Account], back: Sequence[Account], mechanism: Mechanism
) -> tuple[int, int, int, int]:
    weighed = [(account, numbers.pings * mechanism.ping_bytes) for account in there]
    weighed += [(account, numbers.pongs * mechanism.pong_bytes) for account in back]
    unexplained = sum(account.unexplained(n) for account, n in weighed)
    lost = sum(abs(account.rest(n)) for account, n in weighed)
    return unexplained, lost, numbers.pings, numbers.pongs
