"""drop, delay, duplicate, reorder, hold, corrupt: a rule for what the peer sends."""

from __future__ import annotations

from typing import Any

from prisam_p2p.control.message_rule import Rule
from prisam_p2p.control.messages import RemoveRule, Report, RuleRemoved, SetRule
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.firing import Part


class Messaging(Act):
    """The peer's transport applies the rule, and tells at its removal what it touched."""

    def apply(self, part: Part, now_s: float) -> bool:
        """See Act."""
        if self._hands.is_down(part.peer):
            return False
        self._hands.order(part.peer, SetRule(message_rule(part.occurrence)))
        return True

    def told(self, part: Part, report: Report) -> str | None:
        """See Act."""
        match report:
            case RuleRemoved(rule_id, acted) if rule_id == part.occurrence.id and acted:
                return f"{acted} messages touched"
        return None

    def heal(self, part: Part, now_s: float) -> bool:
        """See Act."""
        self._hands.order(part.peer, RemoveRule(part.occurrence.id))
        return True


def message_rule(occurrence: Occurrence) -> Rule:
    """Return the rule that does the fault to what a peer sends; its id is the fault's."""
    given: dict[str, Any] = dict(occurrence.parameters)
    names = ("message", "probability", "limit")
    chosen = {name: given[name] for name in names if given.get(name) is not None}
    if occurrence.kind == "delay":
        chosen["delay_ms"] = given["ms"]
    action: Any = occurrence.kind
    return Rule(occurrence.id, action, "out", **chosen)
