"""What no honest peer sends, drawn from a seed, and a peer of its own process to send it to.

`python hostile.py` is that peer, "a": it obeys one JSON object a line and answers each with one.
Like a loop that trains, it looks at its inbox only where it is told to.
"""

from __future__ import annotations

import json
import struct
import sys
from collections import Counter
from contextlib import suppress
from queue import Empty

import msgpack
import numpy as np
from tiny_layouts import one_layer, random_weights

from prisam_p2p.core.bits import PackedMask
from prisam_p2p.errors import WireError
from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.context import LocalPeer
from prisam_p2p.transport.pull_manager import Patience
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.snapshots import snapshot_of
from prisam_p2p.transport.transport import Rates, Transport, TransportSettings
from prisam_p2p.wire.codec import WIRE_VERSION, encode
from prisam_p2p.wire.mask_coding import RoundMask, coded
from prisam_p2p.wire.messages import (
    Busy,
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Coding,
    MaskAnnounce,
    MaskRequest,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
)

LAYOUT = one_layer(channels=128, inputs=150)  # 80 kB dense: five chunks
N_BITS = LAYOUT.n_bits
WEIGHTS = random_weights(LAYOUT)
CHUNK = 16 * 1024
RUN, W0 = b"run-id-8", b"w" * 16
PEERS = "abfmnr"
ADDRESSES = {peer: f"127.3.0.{i}" for i, peer in enumerate(PEERS, 1)}
FAR = 2**64 - 1


def identity(peer):
    return Identity(RUN, peer, 0, W0, LAYOUT.digest)


def transport_of(peer, neighbors, inbox):
    # A spool would answer for a donor that offers what it offered before.
    how = TransportSettings(CHUNK, Patience(600, 0, 600), Rates(), serve_at_once=8, spool_bytes=0)
    me = LocalPeer(identity(peer), ADDRESSES[peer], neighbors)
    return Transport(me, LAYOUT, inbox, how)


def mask_of(round_index, seed=0):
    bits = np.random.default_rng(seed).random(N_BITS) < 0.5
    return RoundMask(round_index, PackedMask.pack(bits))


# -- frames ----------------------------------------------------------------------------------

_D = b"d" * 16
GOLDEN = [
    encode(message)
    for message in (
        identity("m").hello(Channel.CONTROL),
        identity("m").hello(Channel.BULK),
        Welcome(0),
        Refuse("another run"),
        coded(mask_of(3), None),
        coded(mask_of(5), mask_of(4)),
        MaskAnnounce(6, N_BITS, b"\x01", Coding.CHANGES, 1, 0xBEEF),
        MaskAnnounce(6, N_BITS, b"\x08", Coding.DENSITY),
        WeightsRequest(0),
        WeightsRequest(0, N_BITS, mask_of(0).mask.bits),
        WeightsOffer(7, _D, N_BITS, mask_of(0).mask.bits),
        ChunkRequest(_D, 65536, CHUNK),
        Chunk(_D, 65536, b"\0weights" * 64),
        Unavailable(3),
        Bye(99_999),
        MaskRequest(128),
        Busy(250),
    )
]


def _one_of(rng, *options):
    return options[rng.integers(len(options))]


def _flip(rng, frames):
    which = int(rng.integers(len(frames)))
    flipped = bytearray(frames[which])
    for bit in rng.integers(8 * len(flipped), size=int(rng.integers(1, 5))):
        flipped[bit // 8] ^= 1 << (bit % 8)
    return [*frames[:which], bytes(flipped), *frames[which + 1 :]]


def _truncate(rng, frames):
    which = int(rng.integers(len(frames)))
    return [*frames[:which], frames[which][: rng.integers(len(frames[which]))]]


def _extend(rng, frames):
    which = int(rng.integers(len(frames)))
    longer = bytes(frames[which]) + rng.bytes(int(rng.integers(1, 100)))
    return [*frames[:which], longer, *frames[which + 1 :]]


def _count(rng, frames):
    extra = [[], [b""], [b"", b""], [rng.bytes(9)] * 3, [b""] * 200, [rng.bytes(700)] * 20]
    more = _one_of(rng, *extra)
    return [*frames, *more] if more else [b"", *frames]


_STRANGE = [
    None, True, False, 0, 1, -1, -(2**63), FAR, 2**32, 1.0, float("nan"), float("inf"), "", "a",
    "\0" * 40, b"", b"x" * 16, [], [1], {}, {1: 2}, msgpack.ExtType(5, b"x"),
    msgpack.Timestamp(0), [[[[]]]],
]  # fmt: skip


def _field(rng, frames, first=0):
    fields = msgpack.unpackb(frames[0])
    fields[rng.integers(first, len(fields))] = _one_of(rng, *_STRANGE)
    return [msgpack.packb(fields), *frames[1:]]


def _fields(rng, frames):
    fields = msgpack.unpackb(frames[0])
    if rng.random() < 0.5:
        return [msgpack.packb(fields[: rng.integers(len(fields))]), *frames[1:]]
    return [msgpack.packb(fields + fields[-1:] * int(rng.integers(1, 9))), *frames[1:]]


def _kind(rng, frames):
    fields = msgpack.unpackb(frames[0])
    fields[1] = _one_of(rng, -1, 0, *range(1, 14), 255, 2**31)
    return [msgpack.packb(fields), *frames[1:]]


def _version(rng, frames):
    fields = msgpack.unpackb(frames[0])
    fields[0] = _one_of(rng, 0, 1, WIRE_VERSION + 1, 127, 128, 2**40)
    return [msgpack.packb(fields), *frames[1:]]


_DECLARED = [
    bytes([code]) + struct.pack(form, most)
    for code, form, most in (
        (0xDD, ">I", 2**32 - 1), (0xDC, ">H", 2**16 - 1), (0xDF, ">I", 2**32 - 1),
        (0xDB, ">I", 2**31), (0xC6, ">I", 2**32 - 1), (0xC9, ">I", 2**32 - 1),
    )
]  # fmt: skip


def _declare(rng, frames):
    """Arrays, maps, strings, binaries and extensions of gigabytes that do not follow."""
    huge, header = _one_of(rng, *_DECLARED), bytes(frames[0])
    at = int(rng.integers(3))
    return [header[:at] + huge + header[at + (at == 0) :], *frames[1:]]


def _longer_way(rng, frames):
    """The same message, not in its one encoding."""
    fields, ways = msgpack.unpackb(frames[0]), []
    short = [msgpack.packb(field) for field in fields]
    array = bytes([0x90 + len(fields)])
    ways.append(b"\xdc" + struct.pack(">H", len(fields)) + b"".join(short))
    ways.append(b"\xdd" + struct.pack(">I", len(fields)) + b"".join(short))
    for i, field in enumerate(fields):
        match field:
            case int():
                longer = [b"\xcf" + struct.pack(">Q", field), b"\xd3" + struct.pack(">q", field)]
                longer.append(msgpack.packb(float(field)))
            case bytes():
                longer = [b"\xc5" + struct.pack(">H", len(field)) + field]
            case str():
                raw = field.encode()
                longer = [b"\xda" + struct.pack(">H", len(raw)) + raw]
        ways += [array + b"".join([*short[:i], other, *short[i + 1 :]]) for other in longer]
    return [_one_of(rng, *ways), *frames[1:]]


def _noise(rng, _frames):
    return [rng.bytes(int(n)) for n in rng.integers(0, 1024, size=int(rng.integers(1, 5)))]


def _nest(rng, frames):
    return [b"\x91" * int(rng.integers(2, 1024)), *frames[1:]]


MUTATIONS = [
    _flip, _flip, _truncate, _extend, _count, _field, _field, _fields, _kind, _version, _declare,
    _longer_way, _noise, _nest, lambda _rng, frames: frames,
]  # fmt: skip


def hostile_frames(rng):
    """Return the frames of one message: a golden one, damaged or in the wrong place.

    No frame is longer than 1,024 bytes; longer ones never reach the peer.
    """
    golden = [bytes(frame) for frame in _one_of(rng, *GOLDEN)]
    frames = _one_of(rng, *MUTATIONS)(rng, golden)
    return [frame[:1024] for frame in frames]


def hostile_mask(rng, round_index):
    """Return a mask message with a wrong base, check, coding, or length, or a right one."""
    n_bits = _one_of(rng, N_BITS, N_BITS, N_BITS, 8, N_BITS + 8, 8 * CHUNK)
    match int(rng.integers(4)):
        case 0:
            return MaskAnnounce(round_index, n_bits, bytes(n_bits // 8))
        case 1:
            n_bytes = int(rng.integers(min(600, n_bits // 8 + 1)))
            return MaskAnnounce(round_index, n_bits, rng.bytes(n_bytes), Coding.DENSITY)
        case 2:
            n_bits = _one_of(rng, n_bits, FAR, 2**40)  # changes of a few bytes, or of none
            gap = _one_of(rng, 1, 2, round_index)
        case _:
            gap = 1
    bits = rng.bytes(int(rng.integers(min(17, n_bits // 8 + 1))))
    return MaskAnnounce(round_index, n_bits, bits, Coding.CHANGES, gap, int(rng.integers(2**16)))


def hostile_answers(rng, round_index):
    """Return answers to a pull of this round, at which it is lost or its digest does not match."""
    snapshot = snapshot_of(LAYOUT, round_index, WEIGHTS)
    offer, data = snapshot.offer, snapshot.buffer
    first = Chunk(offer.digest, 0, data[:CHUNK])
    match int(rng.integers(7)):
        case 0:
            return [Unavailable(_one_of(rng, 0, round_index, FAR))]
        case 1:
            n_bits = 8 * _one_of(rng, 1, N_BITS // 8 + 1, CHUNK)
            return [WeightsOffer(round_index, offer.digest, n_bits, bytes(n_bits // 8))]
        case 2:
            return [offer] * 2
        case 3:
            return [offer, Chunk(offer.digest, _one_of(rng, 1, CHUNK, 2**40, FAR), b"x")]
        case 4:
            return [offer, first, first]
        case 5:
            length = int(rng.integers(1, CHUNK))
            return [offer, Chunk(offer.digest, 0, data[:length])]
        case _:
            lie = WeightsOffer(round_index, rng.bytes(16), N_BITS, offer.bits)
            ends = range(0, len(data), CHUNK)
            return [lie, *(Chunk(lie.digest, at, data[at : at + CHUNK]) for at in ends)]


# -- bytes -----------------------------------------------------------------------------------

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"


def zmtp_greeting(mechanism=b"NULL", minor=0):
    return SIGNATURE + bytes([3, minor]) + mechanism.ljust(20, b"\0") + bytes(32)


def zmtp_frame(body, flags=0):
    """Return a frame; flags: 1 more follow, 2 long, 4 a command."""
    if len(body) > 255:
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def zmtp_ready(routing_id=b"", kind=b"DEALER"):
    properties = ((b"Socket-Type", kind), (b"Identity", routing_id))
    body = b"\x05READY" + b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in properties
    )
    return zmtp_frame(body, 4)


OPEN = zmtp_greeting() + zmtp_ready()

SILENT = {
    "nothing": (b"", b""),
    "one byte": (b"\xff", b""),
    "a signature": (SIGNATURE, b""),
    "half a greeting": (zmtp_greeting()[:33], b""),
    "a greeting": (zmtp_greeting(), b""),
    "an unknown mechanism": (zmtp_greeting(b"NONE") + zmtp_ready(), b""),
    "another mechanism": (zmtp_greeting(b"CURVE") + zmtp_frame(b"\x05HELLO" + bytes(194), 4), b""),
    "a mechanism of no text": (zmtp_greeting(b"\xff" * 20), b""),
    "half a handshake": (OPEN[:-3], b""),
    "no READY": (zmtp_greeting() + zmtp_frame(b"hello"), b""),
    "a socket type that has no business here": (zmtp_greeting() + zmtp_ready(kind=b"PUB"), b""),
    "a socket type that is none": (zmtp_greeting() + zmtp_ready(kind=b"\xff" * 99), b""),
    "a property of 4 GiB": (
        zmtp_greeting() + zmtp_frame(b"\x05READY\x01x\xff\xff\xff\xffabc", 4),
        b"",
    ),
    "a property without a name": (zmtp_greeting() + zmtp_frame(b"\x05READY\0\0\0\0\0", 4), b""),
    "an ERROR": (zmtp_greeting() + zmtp_frame(b"\x05ERROR\xff", 4), b""),
    "a command of 2^63 bytes": (zmtp_greeting() + b"\x06\x80" + bytes(7), b""),
    "a handshake and no word": (OPEN, b""),
    "a frame of 2^63 bytes": (OPEN, b"\x02\x80" + bytes(7)),
    "a frame of 1,025 bytes": (OPEN, zmtp_frame(bytes(1025))),
    "half a frame": (OPEN, zmtp_frame(bytes(200))[:-1]),
    "half a message": (OPEN, zmtp_frame(b"", 1) * 50),
    "a second READY": (OPEN, zmtp_ready()),
    "a command of no kind": (OPEN, zmtp_frame(b"\x07NOTHING", 4)),
    "an empty command": (OPEN, zmtp_frame(b"", 4)),
    "pings": (OPEN, zmtp_frame(b"\x04PING\xff\xff" + b"c" * 16, 4) * 20),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "TLS": (bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 194, b""),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", b""),
}
"""What comes by connections that never bring a message, by name: at first, and once open."""


# -- the peer --------------------------------------------------------------------------------


class _Heard:
    """What the peer was told, counted."""

    def __init__(self, inbox, take_rejected):
        self._inbox, self._take_rejected = inbox, take_rejected
        self._rejected, self._told, self._lost = Counter(), Counter(), Counter()
        self._broken = None

    def all(self):
        with suppress(Empty):
            while True:
                self._take(self._inbox.get(0))
        return {
            "rejected": self._rejected,
            "told": self._told,
            "lost": self._lost,
            "broken": self._broken,
        }

    def _take(self, event):
        self._told[type(event).__name__] += 1
        match event:
            case events.MessageRejected(_, verdict, _):
                self._rejected[verdict] += self._take_rejected(event)
            case events.PullLost(_, _, reason):
                self._lost[reason] += 1
            case events.PullDone(pull):
                try:
                    pull.weights()
                except WireError as error:
                    self._lost[str(error)] += 1
            case events.Broken(error):
                self._broken = error


def main():
    inbox = Inbox()
    peer = transport_of("a", [p for p in PEERS if p != "a"], inbox)
    heard = _Heard(inbox, peer.take_rejected)

    def obey(order):
        match order:
            case {"do": "connect", "roster": roster}:
                peer.connect({neighbor: tuple(at) for neighbor, at in roster.items()})
            case {"do": "announce", "round": t}:
                peer.announce(mask_of(t, seed=t), snapshot_of(LAYOUT, t, WEIGHTS))
            case {"do": "pull", "round": t}:
                peer.pull(["r"], t)
            case {"do": "count"}:
                return heard.all()
        return {}

    print(json.dumps({"port": peer.port}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)
    peer.close()


if __name__ == "__main__":
    main()
