"""Faults of links on plain loopback and between hosts: message rules at both ends of a link.

A message that is on its way when a link is cut is dropped by the receiver, a later one by the
sender. TCP notices nothing: connections stay, heartbeats pass, and packets cannot be touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prisam_p2p.control.message_rule import Rule, Way
from prisam_p2p.control.messages import RemoveRule, Report, RuleRemoved, SetRule
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.links.link_effects import effect, fold
from prisam_p2p.faults.links.path_links import PathLinks
from prisam_p2p.faults.peer_control import PeerControl
from prisam_p2p.plan.link_properties import CLEAR, Link, LinkState

_BASE, _PATHS = "links", "paths"


def why_not_by_messages(occurrence: Occurrence) -> str | None:
    """Return why message rules cannot apply a fault of links; None = they can."""
    wanted = effect(occurrence)
    if wanted.cut in ("reject", "reset"):
        return f"without namespaces nothing can {wanted.cut} TCP segments"
    if wanted.loss:
        return "without namespaces packets cannot be dropped; the kind `drop` loses messages"
    if wanted.rate_mbit_s:
        return "without namespaces only devices have rates, not links"
    return None


class LoopbackLinkFaults:
    """See LinkFaults: the peers drop or delay messages themselves.

    Args:
        base: the state of links without faults, of which only delay and jitter are applied.
        links: directed; all of the run's.
        hops: the most links between two peers that connect.
    """

    TOUCHES = "or more messages dropped or delayed"

    def __init__(
        self,
        peers: PeerControl,
        base: Mapping[Link, LinkState],
        links: Sequence[Link] = (),
        hops: int = 1,
    ) -> None:
        self._peers, self._base = peers, dict(_delays(_BASE, base))
        self._links = {**dict.fromkeys(links, CLEAR), **base}
        self._paths = PathLinks(links, hops)
        self._on_paths = _rules_of(_PATHS, self._paths.states(self._links))
        self._active: dict[str, tuple[Occurrence, float]] = {}
        self._acting: set[str] = set()
        self._touched: Counter[str] = Counter()

    def apply(self, occurrence: Occurrence, now_s: float) -> None:
        """Apply a fault to its links; the second time nothing happens."""
        if occurrence.id not in self._active:
            self._active[occurrence.id] = (occurrence, now_s)
            self.refresh(now_s)

    def heal(self, occurrence: Occurrence, now_s: float) -> None:
        """Remove a fault from its links; the peers then report how many messages it touched."""
        self._active.pop(occurrence.id, None)
        self._remove_rules(occurrence)
        self.refresh(now_s)

    def refresh(self, now_s: float) -> None:
        """Bring the rules into the state that the active faults ask for now."""
        for name, (occurrence, since_s) in self._active.items():
            acts = effect(occurrence, now_s - since_s) != CLEAR
            if not acts:
                self._remove_rules(occurrence)
            elif name not in self._acting:
                self._acting.add(name)
                for peer, rule in _rules(occurrence):
                    self._peers.order(peer, SetRule(rule))
        if not self._paths.there_are:
            return
        acting = (self._active[name][0] for name in self._acting)
        self._set_on_paths(_rules_of(_PATHS, self._paths.states(fold(self._links, acting))))

    def touched(self, name: str) -> int:
        """Return how many messages a fault touched, as far as peers reported."""
        return self._touched[name]

    def on_report(self, report: Report) -> None:
        """Take in a report of a removed rule: how often it acted."""
        if isinstance(report, RuleRemoved):
            self._touched[report.rule_id.partition("/")[0]] += report.acted

    def on_up(self, peer: str) -> None:
        """Give a process that has just started the rules in force."""
        acting = (self._active[name][0] for name in sorted(self._acting))
        rules = [*self._base.get(peer, ()), *(r for o in acting for p, r in _rules(o) if p == peer)]
        rules += self._on_paths.get(peer, {}).values()
        for rule in rules:
            self._peers.order(peer, SetRule(rule))

    def _set_on_paths(self, wanted: dict[str, dict[str, Rule]]) -> None:
        """Give peers the rules for connections that have no link, as far as they changed."""
        before, self._on_paths = self._on_paths, wanted
        for peer in sorted(before.keys() | wanted.keys()):
            had, has = before.get(peer, {}), wanted.get(peer, {})
            for name in sorted(had.keys() - has.keys()):
                self._peers.order(peer, RemoveRule(name))
            for name, rule in has.items():
                if had.get(name) != rule:
                    self._peers.order(peer, SetRule(rule))

    def _remove_rules(self, occurrence: Occurrence) -> None:
        if occurrence.id in self._acting:
            self._acting.discard(occurrence.id)
            for peer, rule in _rules(occurrence):
                self._peers.order(peer, RemoveRule(rule.id))


def _rules(occurrence: Occurrence) -> Iterator[tuple[str, Rule]]:
    """Yield (peer, rule) for a fault: a cut has rules at both ends, a delay at the sender."""
    state = effect(occurrence)
    if state.cut is None:
        states = dict.fromkeys(occurrence.links, state)
        for peer, rules in _delays(occurrence.id, states):
            yield from ((peer, rule) for rule in rules)
        return
    yield from _cuts(occurrence.id, occurrence.links)


def _rules_of(name: str, states: Mapping[Link, LinkState]) -> dict[str, dict[str, Rule]]:
    """Return peer -> id -> rule for links of these states."""
    found: dict[str, dict[str, Rule]] = {}
    for peer, rule in _cuts(name, [link for link, state in states.items() if state.cut]):
        found.setdefault(peer, {})[rule.id] = rule
    for peer, rules in _delays(name, {x: state for x, state in states.items() if not state.cut}):
        found.setdefault(peer, {}).update({rule.id: rule for rule in rules})
    return found


def _cuts(name: str, links: Iterable[Link]) -> Iterator[tuple[str, Rule]]:
    """Yield (peer, rule) for links that are cut: at both ends."""
    ends: tuple[tuple[Way, int], ...] = (("out", 0), ("in", 1))
    for way, end in ends:
        others: dict[str, list[str]] = {}
        for link in links:
            others.setdefault(link[end], []).append(link[1 - end])
        for peer, neighbors in sorted(others.items()):
            yield peer, Rule(f"{name}/{way}", "drop", way, frozenset(neighbors))


def _delays(name: str, states: Mapping[Link, LinkState]) -> Iterator[tuple[str, list[Rule]]]:
    """Yield (sender, rules) for links with delay; links of equal delay share a rule."""
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
