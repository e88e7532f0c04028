"""A fault of messages as the rule that its peers' transports apply to what they send. Pure."""

from __future__ import annotations

from typing import Any

from prisam_p2p.emulate.faults.fault_plan import Occurrence


def message_rule(occurrence: Occurrence) -> dict[str, Any]:
    """Return a rule as `prisam_p2p.peer.policy_rule.rule_from` reads it; its id is the fault's."""
    given = occurrence.parameters
    rule = {key: given.get(key) for key in ("message", "probability", "limit")}
    rule |= {"id": occurrence.id, "action": occurrence.kind, "direction": "out"}
    return rule | ({"delay_ms": given["ms"]} if occurrence.kind == "delay" else {})
