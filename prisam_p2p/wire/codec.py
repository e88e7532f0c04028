"""Encodes messages as frames and decodes them; accepts only the canonical encoding.

Frame 0 is a msgpack array [version, kind, *fields]. Bulk bytes follow in a frame of their own: they
are not copied into msgpack, and cost their length plus ZMTP framing on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgpack

from prisam_p2p.errors import WireError
from prisam_p2p.wire.messages import (
    Busy,
    Bye,
    Channel,
    Chunk,
    ChunkRequest,
    Coding,
    Hello,
    Kind,
    MaskAnnounce,
    MaskRequest,
    Message,
    Refuse,
    Unavailable,
    WeightsOffer,
    WeightsRequest,
    Welcome,
    WireDtype,
)
from prisam_p2p.wire.relay_messages import Entry, MaskDigest, MaskWanted, RelayedMask

WIRE_VERSION = 2
MAX_HEADER_BYTES = 1024

Frame = bytes | memoryview
Frames = Sequence[Frame]


def encode(message: Message) -> list[Frame]:
    """Return the frames of `message`, without the ROUTER's identity frame."""
    match message:  # the frequent ones first
        case MaskAnnounce(round_index, n_bits, bits, Coding.CHANGES, base_gap, check):
            coded = (round_index, n_bits, int(Coding.CHANGES), base_gap, check)
            return [_header(Kind.MASK, *coded), *_bulk(bits)]
        case MaskAnnounce(round_index, n_bits, bits, coding):
            return [_header(Kind.MASK, round_index, n_bits, int(coding)), *_bulk(bits)]
        case ChunkRequest(digest, offset, length):
            return [_header(Kind.CHUNK_REQUEST, digest, offset, length)]
        case Chunk(digest, offset, data):
            return [_header(Kind.CHUNK, digest, offset), data]
        case Hello(run_id, peer_id, incarnation, channel, w0, layout):
            return [_header(Kind.HELLO, run_id, peer_id, incarnation, int(channel), w0, layout)]
        case Welcome(incarnation):
            return [_header(Kind.WELCOME, incarnation)]
        case Refuse(reason):
            return [_header(Kind.REFUSE, reason)]
        case MaskRequest(round_index):
            return [_header(Kind.MASK_REQUEST, round_index)]
        case WeightsRequest(round_index, n_bits, bits):
            return [_header(Kind.WEIGHTS_REQUEST, round_index, n_bits), *_bulk(bits)]
        case WeightsOffer(round_index, digest, n_bits, bits, dtype):
            return [_header(Kind.WEIGHTS_OFFER, round_index, digest, n_bits, int(dtype)), bits]
        case Unavailable(round_index):
            return [_header(Kind.UNAVAILABLE, round_index)]
        case Bye(round_index):
            return [_header(Kind.BYE, round_index)]
        case Busy(retry_ms):
            return [_header(Kind.BUSY, retry_ms)]
        case MaskDigest(round_index, step, last, entries):
            return [_header(Kind.MASK_DIGEST, round_index, step, last), *_listed(entries)]
        case MaskWanted(round_index, entries):
            return [_header(Kind.MASK_WANTED, round_index), *_listed(entries)]
        case RelayedMask(origin, version, incarnation, address, port, key, signature, n_bits, bits):
            said = (origin, version, incarnation, address, port, key, signature, n_bits)
            return [_header(Kind.RELAYED_MASK, *said), *_bulk(bits)]
        case _:
            assert_never(message)


def decode(frames: Frames) -> Message:
    """Return the message in `frames`.

    Raises:
        WireError: they are not the canonical encoding of a message. Nothing else is raised.
    """
    if not frames:
        raise WireError("no frames")
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise WireError(f"a header of {len(frames[0])} bytes")
    try:
        version, kind, *fields = msgpack.unpackb(frames[0])
        if version != WIRE_VERSION:
            raise WireError(f"wire version {version!r}; this peer speaks {WIRE_VERSION}")
        message = _build(kind, fields, frames[1:])
    except WireError:
        raise
    except Exception as error:  # msgpack raises many types on hostile bytes
        raise WireError(str(error) or type(error).__name__) from error
    again = encode(message)
    if again[0] != frames[0] or len(again) != len(frames):  # 1.0 for 1, overlong integers, ..
        raise WireError("not the canonical encoding")
    return message


def kind_of(message: Message) -> Kind:
    """Return the number on the wire of `message`'s kind."""
    return _KINDS[type(message)]


_KINDS: dict[type, Kind] = {
    Hello: Kind.HELLO,
    Welcome: Kind.WELCOME,
    Refuse: Kind.REFUSE,
    MaskAnnounce: Kind.MASK,
    WeightsRequest: Kind.WEIGHTS_REQUEST,
    WeightsOffer: Kind.WEIGHTS_OFFER,
    ChunkRequest: Kind.CHUNK_REQUEST,
    Chunk: Kind.CHUNK,
    Unavailable: Kind.UNAVAILABLE,
    Bye: Kind.BYE,
    MaskRequest: Kind.MASK_REQUEST,
    Busy: Kind.BUSY,
    RelayedMask: Kind.RELAYED_MASK,
    MaskDigest: Kind.MASK_DIGEST,
    MaskWanted: Kind.MASK_WANTED,
}


def _header(kind: Kind, *fields: int | str | bytes) -> bytes:
    numbers = [int(field) if isinstance(field, int) else field for field in fields]  # True is 1
    return bytes(msgpack.packb([WIRE_VERSION, int(kind), *numbers]))


def _bulk(data: bytes) -> list[Frame]:
    """Return the second frame, or none if it would be empty."""
    return [data] if data else []


def _listed(entries: Sequence[Entry]) -> list[Frame]:
    """Return the second frame of a list: [origin, version, origin, version, ..], or none."""
    flat = [field for origin, version in entries for field in (origin, int(version))]
    return [bytes(msgpack.packb(flat))] if flat else []


def _entries(bulk: Frames) -> tuple[Entry, ...]:
    """Return the entries in the second frame.

    Raises:
        WireError: it is not the canonical encoding of a list.
    """
    if not bulk:
        return ()
    flat = msgpack.unpackb(bulk[0])
    if not isinstance(flat, list) or len(flat) % 2:
        raise WireError("a list without pairs")
    entries = tuple(zip(flat[::2], flat[1::2], strict=True))
    if not all(type(origin) is str and type(version) is int for origin, version in entries):
        raise WireError("an entry that is no origin and version")
    if _listed(entries) != [bytes(bulk[0])]:
        raise WireError("not the canonical encoding")
    return entries


def _build(kind: object, fields: list[object], bulk: Frames) -> Message:
    match kind, fields, bulk:  # the frequent ones first
        case Kind.MASK, [int(t), int(n_bits), int(coding)], [] | [_]:
            return MaskAnnounce(t, n_bits, b"".join(bulk), Coding(coding))
        case Kind.MASK, [int(t), int(n_bits), int(coding), int(gap), int(check)], [] | [_]:
            return MaskAnnounce(t, n_bits, b"".join(bulk), Coding(coding), gap, check)
        case Kind.CHUNK_REQUEST, [bytes(digest), int(offset), int(length)], []:
            return ChunkRequest(digest, offset, length)
        case Kind.CHUNK, [bytes(digest), int(offset)], [data]:
            return Chunk(digest, offset, data)
        case Kind.HELLO, [bytes(run), str(peer), int(inc), int(ch), bytes(w0), bytes(lay)], []:
            return Hello(run, peer, inc, Channel(ch), w0, lay)
        case Kind.WELCOME, [int(incarnation)], []:
            return Welcome(incarnation)
        case Kind.REFUSE, [str(reason)], []:
            return Refuse(reason)
        case Kind.MASK_REQUEST, [int(round_index)], []:
            return MaskRequest(round_index)
        case Kind.WEIGHTS_REQUEST, [int(round_index), int(n_bits)], [] | [_]:
            return WeightsRequest(round_index, n_bits, b"".join(bulk))
        case Kind.WEIGHTS_OFFER, [int(t), bytes(digest), int(n_bits), int(dtype)], [bits]:
            return WeightsOffer(t, digest, n_bits, bytes(bits), WireDtype(dtype))
        case Kind.UNAVAILABLE, [int(round_index)], []:
            return Unavailable(round_index)
        case Kind.BYE, [int(round_index)], []:
            return Bye(round_index)
        case Kind.BUSY, [int(retry_ms)], []:
            return Busy(retry_ms)
        case Kind.MASK_DIGEST, [int(t), int(step), int(last)], [] | [_]:
            return MaskDigest(t, step, last != 0, _entries(bulk))
        case Kind.MASK_WANTED, [int(t)], [_]:
            return MaskWanted(t, _entries(bulk))
        case (
            Kind.RELAYED_MASK,
            [
                str(origin),
                int(version),
                int(inc),
                str(address),
                int(port),
                bytes(key),
                bytes(signature),
                int(n_bits),
            ],
            [] | [_],
        ):
            where = (address, port, key, signature)
            return RelayedMask(origin, version, inc, *where, n_bits, b"".join(bulk))
        case _:
            raise WireError(f"no message has kind {kind!r} and this shape")
