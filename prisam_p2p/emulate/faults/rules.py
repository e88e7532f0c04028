"""Faults of links and messages as rules that the peers' transports apply. Pure.

A rule is a JSON object as `prisam_p2p.peer.policy.rule_from` reads it.
"""

from __future__ import annotations

from typing import Any

from prisam_p2p.emulate.faults.fault_plan import Occurrence

Rule = dict[str, Any]

ON_LINKS = frozenset({"cut", "partition", "isolate", "shape"})
ON_MESSAGES = frozenset({"drop", "delay", "duplicate", "reorder", "hold", "corrupt"})


def rules_of(occurrence: Occurrence, peer: str) -> list[Rule]:
    """Return what `peer` applies of an occurrence: what it sends, and what it gets."""
    if occurrence.kind in ON_MESSAGES:
        return [_on_messages(occurrence)] if peer in occurrence.peers else []
    out = sorted(b for a, b in occurrence.links if a == peer)
    into = sorted(a for a, b in occurrence.links if b == peer)
    if occurrence.kind != "shape":
        ways = (("out", out), ("in", into))
        return [_rule(occurrence, way, to, "drop") for way, to in ways if to]
    return _shape(occurrence, out, into)


def _shape(occurrence: Occurrence, out: list[str], into: list[str]) -> list[Rule]:
    """Delay what is sent, lose what arrives: each packet meets each once."""
    p, found = occurrence.parameters, []
    if out and (p.get("delay_ms") or p.get("jitter_ms")):
        delay = {"delay_ms": p.get("delay_ms") or 0, "jitter_ms": p.get("jitter_ms") or 0}
        found.append(_rule(occurrence, "out", out, "delay") | delay)
    if into and p.get("loss"):
        found.append(_rule(occurrence, "in", into, "drop") | {"probability": p["loss"]})
    return found


def _on_messages(occurrence: Occurrence) -> Rule:
    p = occurrence.parameters
    rule = _rule(occurrence, "out", None, occurrence.kind)
    rule |= {"message": p["message"], "probability": p["probability"]}
    if p.get("limit") is not None:
        rule["limit"] = p["limit"]
    if occurrence.kind == "delay":
        rule["delay_ms"] = p["ms"]
    return rule


def _rule(occurrence: Occurrence, way: str, neighbors: list[str] | None, action: str) -> Rule:
    rule: Rule = {"id": f"{occurrence.id}:{way}:{action}", "direction": way, "action": action}
    if neighbors is not None:
        rule["neighbors"] = neighbors
    return rule
