"""Which records and figures of two addresses belong to one connection, where several had them.

A port may be used again: after a connection that ended, or one that its client gave up before it
was ready, which only its server recorded. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from prisam_p2p.report.connection_ends import End
from prisam_p2p.report.counts import NOTHING, stream_by_kind
from prisam_p2p.report.kernel import KernelSocket

_STRANGERS = 1 << 40
"""Stands for more bytes than any connection has."""


@dataclass(frozen=True)
class Side:
    """What is known of a connection at one of its addresses.

    Attributes:
        end: the peer's record; None: it has none.
        socket: the kernel's figures; None: it gave none.
    """

    end: End | None = None
    socket: KernelSocket | None = None

    @property
    def t_s(self) -> float:
        """When it was recorded."""
        known = self.end or self.socket
        return known.t_s if known else 0.0


NOTHING_KNOWN = Side()


def sides(ends: Sequence[End], sockets: Sequence[KernelSocket]) -> list[Side]:
    """Return what is known at an address of each connection with another address, in their order.

    A cookie tells which figures belong to which record. Without cookies (journals of earlier
    releases), figures are only used if there are as many as records: then both are in order.

    Args:
        ends: in the order of their records.
        sockets: in the order of their ends.
    """
    if all(end.cookie for end in ends) and all(each.cookie for each in sockets):
        return _by_cookie(ends, sockets)
    if len(ends) == len(sockets):
        return [Side(*both) for both in zip(ends, sockets, strict=True)]
    return [Side(end) for end in ends] or [Side(None, each) for each in sockets]


def _by_cookie(ends: Sequence[End], sockets: Sequence[KernelSocket]) -> list[Side]:
    found, left = list[Side](), list(ends)
    for each in sockets:
        owner = next((end for end in left if end.cookie == each.cookie), None)
        found.append(Side(owner, each))
        left = [end for end in left if end is not owner]
    for end in left:
        later = (at for at, side in enumerate(found) if side.t_s > end.t_s)
        found.insert(next(later, len(found)), Side(end))
    return found


def both_sides(clients: Sequence[Side], servers: Sequence[Side]) -> list[tuple[Side, Side]]:
    """Return the connections between two addresses in their order, each with (client, server).

    Connections with the same two addresses follow each other, at both. So each of the side that
    knows fewer belongs to one of the other, in order: such that their figures and counts differ by
    the fewest bytes, and to the earliest of several such. What is left over has NOTHING_KNOWN at
    the other side. No count and no figure gets lost by this, or is used twice.
    """
    if len(clients) == len(servers):
        return list(zip(clients, servers, strict=True))
    few, many = sorted((clients, servers), key=len)
    places = _places([[_apart(one, other) for other in many] for one in few], len(many))
    at = dict(zip(places, few, strict=True))
    pairs = [(at.get(i, NOTHING_KNOWN), other) for i, other in enumerate(many)]
    return pairs if few is clients else [(other, one) for one, other in pairs]


def _places(apart: Sequence[Sequence[float]], n_places: int) -> list[int]:
    """Return ascending places with the least total, one for each row: the earliest ones.

    Args:
        apart: row -> place -> how far they are apart. At most as many rows as places.
    """
    least = [[0.0] * (n_places + 1)]  # [rows][places]: of the first rows in the first places
    for i, row in enumerate(apart):
        sums = [inf] * (i + 1)
        for j in range(i, n_places):
            sums.append(min(sums[j], least[i][j] + row[j]))
        least.append(sums)
    places, j = list[int](), n_places
    for i in range(len(apart), 0, -1):
        while least[i][j - 1] == least[i][j]:
            j -= 1
        j -= 1
        places.append(j)
    return places[::-1]


def _apart(one: Side, other: Side) -> int:
    """Return the bytes by which two sides differ if they are of one connection."""
    ends, sockets = (one.end, other.end), (one.socket, other.socket)
    return _names_apart(*ends) + _counts_apart(*ends) + _figures_apart(*sockets)


def _names_apart(one: End | None, other: End | None) -> int:
    if one is None or other is None:
        return 0
    agree = one.neighbor in ("", other.peer) and other.neighbor in ("", one.peer)
    return 0 if agree else _STRANGERS


def _counts_apart(one: End | None, other: End | None) -> int:
    """A record that is missing stands for an end that sent and received nothing."""
    ways = (
        (one.sent if one else NOTHING, other.received if other else NOTHING),
        (other.sent if other else NOTHING, one.received if one else NOTHING),
    )
    kinds = [(stream_by_kind(sent), stream_by_kind(received)) for sent, received in ways]
    return sum(abs(sent[kind] - came[kind]) for sent, came in kinds for kind in sent)


def _figures_apart(one: KernelSocket | None, other: KernelSocket | None) -> int:
    if one is None or other is None:
        return 0
    ways = (one.stream - other.received, other.stream - one.received)
    return sum(0 if way == -1 else abs(way) for way in ways)  # a FIN counts as received
