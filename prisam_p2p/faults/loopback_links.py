"""Faults of links where nothing lies between the peers: rules for messages, at both their ends.

What is on its way when a link is cut is dropped where it arrives; what is sent afterwards never
leaves. TCP knows nothing of it: connections stay, heartbeats pass, packets cannot be touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prisam_p2p.control.message_rule import Rule, Way
from prisam_p2p.control.messages import RemoveRule, Report, RuleRemoved, SetRule
from prisam_p2p.faults.cast import Link
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.hands import Hands
from prisam_p2p.faults.link_effects import effect, flap_cuts
from prisam_p2p.plan.link_properties import LinkState

_BASE = "links"


def cannot(occurrence: Occurrence) -> str | None:
    """Return why a fault of links cannot be done so; None = it can."""
    wanted = effect(occurrence)
    if wanted.cut in ("reject", "reset"):
        return f"on loopback nothing can {wanted.cut} TCP's segments"
    if wanted.loss:
        return "on loopback nobody sees packets; a fault `drop` loses messages"
    if wanted.rate_mbit_s:
        return "on loopback rates are a device's, not a link's"
    return None


class LoopbackLinks:
    """See LinkFaults: the same, done by the peers themselves.

    Args:
        base: what links are like without faults; their delay and jitter are all that is done.
    """

    TOUCHES = "or more messages dropped or delayed"

    def __init__(self, hands: Hands, base: Mapping[Link, LinkState]) -> None:
        self._hands, self._base = hands, dict(_delays(_BASE, base))
        self._active: dict[str, tuple[Occurrence, float]] = {}
        self._acting: set[str] = set()
        self._touched: Counter[str] = Counter()

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Put a fault on its links."""
        if occurrence.id not in self._active:
            self._active[occurrence.id] = (occurrence, now_s)
            self.keep(now_s)

    def heal(self, occurrence: Occurrence, now_s: float) -> None:
        """Take a fault away; its peers will tell what it touched."""
        self._active.pop(occurrence.id, None)
        self._let_pass(occurrence)
        self.keep(now_s)

    def keep(self, now_s: float) -> None:
        """Make the links as the active faults want them now: a flap cuts and lets pass in turn."""
        for name, (occurrence, since_s) in self._active.items():
            acts = occurrence.kind != "flap" or flap_cuts(occurrence, now_s - since_s)
            if not acts:
                self._let_pass(occurrence)
            elif name not in self._acting:
                self._acting.add(name)
                for peer, rule in _rules(occurrence):
                    self._hands.order(peer, SetRule(rule))

    def touched(self, name: str) -> int:
        """Return how many messages a fault has touched, as far as is told."""
        return self._touched[name]

    def take_in(self, report: Report) -> None:
        """A peer reports: of a rule that it removed, how often it acted."""
        if isinstance(report, RuleRemoved):
            self._touched[report.rule_id.partition("/")[0]] += report.acted

    def peer_is_up(self, peer: str) -> None:
        """Give a process that has just begun the rules that hold."""
        acting = (self._active[name][0] for name in sorted(self._acting))
        rules = [*self._base.get(peer, ()), *(r for o in acting for p, r in _rules(o) if p == peer)]
        for rule in rules:
            self._hands.order(peer, SetRule(rule))

    def _let_pass(self, occurrence: Occurrence) -> None:
        if occurrence.id in self._acting:
            self._acting.discard(occurrence.id)
            for peer, rule in _rules(occurrence):
                self._hands.order(peer, RemoveRule(rule.id))


def _rules(occurrence: Occurrence) -> Iterator[tuple[str, Rule]]:
    """Yield (peer, rule) of a fault: a cut at both ends, a delay at the sender."""
    state = effect(occurrence)
    if state.cut is None:
        states = dict.fromkeys(occurrence.links, state)
        for peer, rules in _delays(occurrence.id, states):
            yield from ((peer, rule) for rule in rules)
        return
    ends: tuple[tuple[Way, int], ...] = (("out", 0), ("in", 1))
    for way, end in ends:
        others: dict[str, list[str]] = {}
        for link in occurrence.links:
            others.setdefault(link[end], []).append(link[1 - end])
        for peer, neighbors in sorted(others.items()):
            yield peer, Rule(f"{occurrence.id}/{way}", "drop", way, frozenset(neighbors))


def _delays(name: str, states: Mapping[Link, LinkState]) -> Iterator[tuple[str, list[Rule]]]:
    """Yield (sender, rules) for links that delay; one rule for those that delay alike."""
    alike: dict[str, dict[tuple[float, float], list[str]]] = {}
    for (sender, receiver), state in sorted(states.items(), key=lambda item: item[0]):
        times = (state.delay_ms, state.jitter_ms)
        if any(times):
            alike.setdefault(sender, {}).setdefault(times, []).append(receiver)
    for sender, groups in alike.items():
        yield (
            sender,
            [
                Rule(
                    f"{name}/{i}",
                    "delay",
                    "out",
                    frozenset(neighbors),
                    delay_ms=delay_ms,
                    jitter_ms=jitter_ms,
                )
                for i, ((delay_ms, jitter_ms), neighbors) in enumerate(groups.items())
            ],
        )
