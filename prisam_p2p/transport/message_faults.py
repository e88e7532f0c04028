"""What becomes of messages on their way, by rules that come and go. Pure: time is the caller's.

A rule sees every message that it is about, whatever other rules make of it, and draws from a
generator of its own for each stream (direction, neighbor, what the message carries). So one rule
more or less changes nothing that another decides, and healing one undoes no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import xxhash

from prisam_p2p.transport.message_rule import Rule, Stream, Way
from prisam_p2p.wire.messages import Kind

_TOPICS = {
    Kind.MASK: "mask",
    Kind.WEIGHTS_REQUEST: "request",
    Kind.CHUNK_REQUEST: "request",
    Kind.WEIGHTS_OFFER: "weights",
    Kind.CHUNK: "weights",
    Kind.HELLO: "hello",
    Kind.WELCOME: "hello",
    Kind.REFUSE: "hello",
}


@dataclass
class Decision:
    """What all rules together make of one message.

    Attributes:
        copies: so many go on, 0 = it is dropped.
        in_order: what follows on its connection must not overtake it.
        held: rules that keep it until they are removed, or (reorder) its successor has passed.
        frees: rules of which the message before need not wait any longer, once this one has gone.
        rules: that acted, in the order in which they came.
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
    """A rule at work.

    Attributes:
        waits: streams of which a message waits for its successor (`reorder`).
    """

    rule: Rule
    source: tuple[int, str]
    matched: int = 0
    acted: int = 0
    waits: set[Stream] = field(default_factory=set)
    generators: dict[Stream, np.random.Generator] = field(default_factory=dict)

    def acts(self, draws: np.random.Generator) -> bool:
        """Decide for one message, whatever the other rules do."""
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


class Policy:
    """The rules of one peer. A rule's n-th draw for a stream follows from seed, peer, rule's id
    and stream alone."""

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

    def counts(self) -> dict[str, list[int]]:
        """Return rule -> [messages that it was about, of these acted on]; for any thread."""
        return {name: [live.matched, live.acted] for name, live in self._live.copy().items()}

    def decide(self, way: Way, neighbor: str, kind: Kind) -> Decision:
        """Say what becomes of a message: drop wins, delays add up."""
        stream = (way, neighbor, _TOPICS.get(kind, "control"))
        decision = Decision()
        for live in self._live.values():
            if live.rule.about(stream):
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
