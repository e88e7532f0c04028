"""How many heartbeats a connection carried: libzmq does not tell, so it follows from the stream.

What is left of a stream when its messages and the handshake are taken off must be a whole number
of PINGs one way and of PONGs the other, as many PONGs as PINGs or a few less (the last ones were
not answered before the end), and not more PINGs than fit the connection's life.
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
        residue: bytes; all of them heartbeats, if nothing was lost.
        excess: so many bytes more can be explained (a message cut off).
        lack: so many bytes less can be explained (messages that never left).
        in_flight: so many bytes less, too: heartbeats that were sent and never arrived.
    """

    residue: int
    excess: int = 0
    lack: int = 0
    in_flight: int = 0

    def rest(self, heartbeat_bytes: int) -> int:
        """Return what is left beside `heartbeat_bytes`; below 0: so much is missing."""
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
    """Return how many PINGs fit a connection's life; 0 where it has no heartbeats."""
    return int(life_s * 1000 / heartbeat_ms) + SLACK_PINGS if heartbeat_ms else 0


def find_heartbeats(
    there: Sequence[Account], back: Sequence[Account], most: int, mechanism: Mechanism
) -> Heartbeats:
    """Return the numbers that explain most; of these, the ones with the least lost.

    Args:
        there, back: accounts of client to server, and of server to client.
        most: PINGs.
    """
    candidates = _candidates(there, back, most, mechanism)
    return min(candidates, key=lambda h: _cost(h, there, back, mechanism))


def _candidates(
    there: Sequence[Account], back: Sequence[Account], most: int, mechanism: Mechanism
) -> Iterator[Heartbeats]:
    """Yield the pairs near what each account says by itself."""
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
