"""Message faults: what the active rules do to each message that a peer sends or receives. Pure.

A rule sees every message that it matches, whatever other rules do to the message, and draws from
a generator of its own for each stream (direction, neighbor, what the message carries). So adding or
removing a rule changes no decision of another rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import xxhash

from prisam_p2p.control.message_rule import Rule, Stream, Way
from prisam_p2p.wire.codec import Frame, encode, kind_of
from prisam_p2p.wire.messages import Chunk, Kind, Message, WeightsOffer

_TOPICS = {
    Kind.MASK: "mask",
    Kind.WEIGHTS_REQUEST: "request",
    Kind.CHUNK_REQUEST: "request",
    Kind.WEIGHTS_OFFER: "weights",
    Kind.CHUNK: "weights",
    Kind.HELLO: "hello",
    Kind.WELCOME: "hello",
    Kind.REFUSE: "hello",
    Kind.RELAYED_MASK: "relay",
    Kind.MASK_DIGEST: "relay",
    Kind.MASK_WANTED: "relay",
}


@dataclass
class Decision:
    """What all rules together do to one message.

    Attributes:
        copies: how often it is sent; 0 = dropped.
        delay_s: it is sent this many seconds late.
        in_order: later messages of its connection must not overtake it.
        corrupt: it is sent damaged (see `damaged`).
        held: ids of the rules that hold it: until removed or, for reorder, its successor passed.
        frees: ids of reorder rules whose held message may follow once this one has gone.
        rules: ids of the rules that acted, in the order in which they were added.
    """

    copies: int = 1
    delay_s: float = 0.0
    in_order: bool = False
    corrupt: bool = False
    held: list[str] = field(default_factory=list)
    frees: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


@dataclass
class _Live:
    """An active rule and its counts.

    Attributes:
        source: the run's seed and the peer's id.
        waits: streams in which a message waits for its successor (`reorder`).
    """

    rule: Rule
    source: tuple[int, str]
    matched: int = 0
    acted: int = 0
    waits: set[Stream] = field(default_factory=set)
    generators: dict[Stream, np.random.Generator] = field(default_factory=dict)

    def acts(self, draws: np.random.Generator) -> bool:
        """Draw whether this rule acts on a message that it matches; count both."""
        rule = self.rule
        self.matched += 1
        hit = rule.probability == 1 or draws.random() < rule.probability
        hit = hit and (rule.limit is None or self.acted < rule.limit)
        self.acted += hit
        return hit

    def draws(self, stream: Stream) -> np.random.Generator:
        """Return this rule's generator for a stream."""
        if stream not in self.generators:
            seed, peer = self.source
            name = xxhash.xxh3_64_intdigest("/".join((peer, self.rule.id, *stream)).encode())
            words = np.random.SeedSequence([seed, name & 0xFFFFFFFF, name >> 32])
            self.generators[stream] = np.random.default_rng(words)
        return self.generators[stream]


class MessageFaults:
    """The active rules of one peer.

    A rule's n-th draw for a stream follows from seed, peer, the rule's id and the stream alone.
    """

    def __init__(self, seed: int = 0, peer_id: str = "") -> None:
        self._source = (seed, peer_id)
        self._live: dict[str, _Live] = {}

    def __bool__(self) -> bool:
        return bool(self._live)

    def add(self, rule: Rule) -> None:
        """Add a rule; its counts and draws begin anew, also under an id that was removed.

        Raises:
            ValueError: there is one with its id.
        """
        if rule.id in self._live:
            raise ValueError(f"a second rule {rule.id}")
        self._live[rule.id] = _Live(rule, self._source)

    def remove(self, rule_id: str) -> tuple[int, int]:
        """Remove a rule and return its (matched, acted); (0, 0) where there is none."""
        live = self._live.pop(rule_id, None)
        return (live.matched, live.acted) if live else (0, 0)

    def decide(self, way: Way, neighbor: str, kind: Kind) -> Decision:
        """Return what is done to a message: drop wins, delays add up."""
        stream = (way, neighbor, _TOPICS.get(kind, "control"))
        decision = Decision()
        for live in self._live.values():
            if live.rule.matches(stream):
                _apply(live, stream, decision)
        return decision


def _apply(live: _Live, stream: Stream, decision: Decision) -> None:
    rule, draws = live.rule, live.draws(stream)
    if stream in live.waits:  # the successor itself is spared: two change places
        live.matched += 1
        live.waits.discard(stream)
        decision.frees.append(rule.id)
        return
    if not live.acts(draws):
        return
    decision.rules.append(rule.id)
    match rule.action:
        case "drop":
            decision.copies = 0
        case "duplicate":
            decision.copies += decision.copies > 0
        case "corrupt":
            decision.corrupt = True
        case "hold":
            decision.held.append(rule.id)
        case "reorder":
            decision.held.append(rule.id)
            live.waits.add(stream)
        case "delay":
            varied_ms = rule.delay_ms + rule.jitter_ms * draws.uniform(-1, 1)
            decision.delay_s += max(0.0, varied_ms) / 1000
            decision.in_order |= rule.message is None


def damaged(message: Message) -> tuple[list[Frame], Kind | None]:
    """Return the frames of a damaged `message`, and the kind that they decode to (None: no kind).

    Of a chunk or an offer of weights the first bit after the header is flipped: the digest then
    does not match. No digest covers the bits of a mask, so of all other messages the first byte of
    the header is flipped: they do not decode.
    """
    header, *bulk = encode(message)
    if isinstance(message, Chunk | WeightsOffer):
        bits = bytearray(bulk[0])
        bits[0] ^= 0x80
        return [header, bytes(bits)], kind_of(message)
    return [bytes([header[0] ^ 0xFF, *header[1:]]), *bulk], None
