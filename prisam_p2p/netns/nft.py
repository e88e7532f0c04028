"""An nftables firewall in one peer's namespace: rules for incoming packets, by their source.

There is one table with one chain at the input hook. A new list of rules replaces the old one in a
single transaction, while the named counters continue. Sources: include/uapi/linux/netfilter/
nf_tables.h, nf_tables_compat.h and xt_NFQUEUE.h; the output of `nft --debug=netlink`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from prisam_p2p.netns.netlink import (
    ACK,
    APPEND,
    CREATE,
    NETFILTER,
    REQUEST,
    NetlinkSocket,
    attribute,
    attributes,
    be32,
    nested,
    netfilter,
    text,
)

TABLE, CHAIN = "prisam", "in"
_IPV4 = 2
_SUBSYSTEM = 10 << 8
_BEGIN, _END = 0x10, 0x11
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE, _DELETE_RULE, _NEW_OBJECT, _GET_OBJECT = 0, 3, 6, 8, 18, 19
_HOOK_INPUT = 1
_COUNTER = 1  # an object type
_VERDICT, _REGISTER = 0, 1
_EQUAL, _LESS = 0, 2

Rule = bytes
"""The encoded expressions of a rule, concatenated."""


class Firewall:
    """The nftables table of the network namespace in which this is made.

    Raises:
        OSError: the kernel has no nftables, or this process lacks the right.
    """

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(NETFILTER)
        hook = nested(4, be32(1, _HOOK_INPUT), be32(2, 0))
        chain = text(1, TABLE) + text(3, CHAIN) + hook + text(7, "filter")
        self._commit([(_NEW_TABLE, text(1, TABLE)), (_NEW_CHAIN, chain)])

    def replace(self, counters: Sequence[str], rules: Sequence[Rule]) -> None:
        """Replace all rules by `rules`; create those of `counters` that do not exist yet.

        Raises:
            OSError: the kernel refused, and nothing has changed.
        """
        where = text(1, TABLE) + text(2, CHAIN)
        made = [(_NEW_OBJECT, _counter(name)) for name in counters]
        added = [(_NEW_RULE, where + nested(4, rule)) for rule in rules]
        self._commit([*made, (_DELETE_RULE, where), *added])

    def packets(self) -> dict[str, int]:
        """Return counter -> number of packets."""
        found = {}
        for answer in self._netlink.dump(_SUBSYSTEM | _GET_OBJECT, netfilter(_IPV4, 0)):
            object_ = attributes(answer[4:])
            count = attributes(object_[4])[2]
            found[object_[2].rstrip(b"\0").decode()] = int.from_bytes(count, "big")
        return found

    def close(self) -> None:
        """Close the socket; the table lives as long as the namespace."""
        self._netlink.close()

    def _commit(self, orders: Sequence[tuple[int, bytes]]) -> None:
        edge = netfilter(0, 10)
        flags = REQUEST | ACK | CREATE | APPEND  # without APPEND, a rule is put before the others
        inner = [(_SUBSYSTEM | kind, flags, netfilter(_IPV4, 0, body)) for kind, body in orders]
        self._netlink.send([(_BEGIN, REQUEST, edge), *inner, (_END, REQUEST, edge)])


def from_address(address: str) -> Rule:
    """Match packets of this source address."""
    load = be32(1, _REGISTER) + be32(2, 1) + be32(3, 12) + be32(4, 4)  # network header, 12, 4
    return _expression("payload", load) + _compare(_EQUAL, socket.inet_aton(address))


def tcp() -> Rule:
    """Match TCP packets."""
    load = be32(1, _REGISTER) + be32(2, 16)  # NFT_META_L4PROTO
    return _expression("meta", load) + _compare(_EQUAL, bytes([socket.IPPROTO_TCP]))


def by_chance(probability: float) -> Rule:
    """Match a packet with this probability, in steps of 2**-31."""
    scale = 1 << 31
    draw = be32(1, _REGISTER) + be32(2, scale) + be32(3, 1)  # NFT_NG_RANDOM
    order = be32(1, _REGISTER) + be32(2, _REGISTER) + be32(3, 1) + be32(4, 4) + be32(5, 4)
    limit = struct.pack("!I", round(probability * scale))
    return _expression("numgen", draw) + _expression("byteorder", order) + _compare(_LESS, limit)


def count(counter: str) -> Rule:
    """Count in `counter` the packets that reach this expression."""
    return _expression("objref", be32(1, _COUNTER) + text(2, counter))


def drop() -> Rule:
    """Drop the packet."""
    return _expression("immediate", be32(1, _VERDICT) + nested(2, nested(2, be32(1, 0))))


def reject() -> Rule:
    """Drop the packet, and answer with an RST; TCP only."""
    return _expression("reject", be32(1, 1) + attribute(2, b"\0"))


def queue(number: int) -> Rule:
    """Hand the packet to the netfilter queue `number`."""
    return _expression("queue", attribute(1, struct.pack("!H", number)))


def queue_compat(number: int) -> Rule:
    """Do the same by the target of iptables, for kernels built without the queue expression."""
    info = struct.pack("=HHH", number, 1, 0) + bytes(2)  # struct xt_NFQ_info_v3, aligned
    return _expression("target", text(1, "NFQUEUE") + be32(2, 3) + attribute(3, info))


def _compare(how: int, value: bytes) -> Rule:
    return _expression("cmp", be32(1, _REGISTER) + be32(2, how) + nested(3, attribute(1, value)))


def _expression(name: str, data: bytes) -> Rule:
    return nested(1, text(1, name), nested(2, data))


def _counter(name: str) -> bytes:
    return text(1, TABLE) + text(2, name) + be32(3, _COUNTER) + nested(4)
