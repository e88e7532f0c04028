"""drop, delay, duplicate, reorder, hold, corrupt: a rule for what the peer sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.firing import Part


class Messaging(Act):
    """The peer's transport applies the rule, and tells at its removal what it touched."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False
        self._hands.order(part.peer, {"order": "rule", "rule": message_rule(part.occurrence)})
        return True

    def told(self, part: Part, report: Mapping[str, Any]) -> str | None:
        """See Act."""
        mine = report["event"] == "rule" and report["id"] == part.occurrence.id
        return f"{report['acted']} messages touched" if mine and report["acted"] else None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        self._hands.order(part.peer, {"order": "unrule", "id": part.occurrence.id})
        return True


def message_rule(occurrence: Occurrence) -> dict[str, Any]:
    """Return a rule as `transport.message_rule.rule_from` reads it; its id is the fault's."""
    given = occurrence.parameters
    rule = {key: given.get(key) for key in ("message", "probability", "limit")}
    rule |= {"id": occurrence.id, "action": occurrence.kind, "direction": "out"}
    return rule | ({"delay_ms": given["ms"]} if occurrence.kind == "delay" else {})
