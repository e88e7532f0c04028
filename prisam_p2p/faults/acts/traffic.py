"""Faults of links and of messages: cut, flap, .., and drop, delay, .."""

from __future__ import annotations

from typing import Any

from prisam_p2p.control.message_rule import Rule
from prisam_p2p.control.messages import RemoveRule, Report, RuleRemoved, SetRule
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.fault_plan import Occurrence
from prisam_p2p.faults.firing import Firing


class DisturbLinks(Act):
    """Changes all links of an occurrence at once; its firings at the links' ends share evidence."""

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        assert self._links is not None, "checked before the run began"
        self._links.apply(firing.occurrence, now_s)
        return True

    def observe(self, firing: Firing, now_s: float) -> str | None:
        """See Act. There is evidence once it is healed: reading the counts takes a while."""
        assert self._links is not None
        touched = self._links.touched(firing.occurrence.id)
        return f"{touched} {self._links.TOUCHES}" if touched else None

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        return self.observe(firing, 0.0)

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        assert self._links is not None
        self._links.heal(firing.occurrence, now_s)
        return True


class DisturbMessages(Act):
    """Gives the peer's transport a rule; its removal reports how many messages the rule hit."""

    def apply(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        if self._peers.is_down(firing.peer):
            return False
        self._peers.order(firing.peer, SetRule(_rule(firing.occurrence)))
        return True

    def on_report(self, firing: Firing, report: Report) -> str | None:
        """See Act."""
        match report:
            case RuleRemoved(rule_id, acted) if rule_id == firing.occurrence.id and acted:
                return f"{acted} messages touched"
        return None

    def heal(self, firing: Firing, now_s: float) -> bool:
        """See Act."""
        self._peers.order(firing.peer, RemoveRule(firing.occurrence.id))
        return True


def _rule(occurrence: Occurrence) -> Rule:
    """Return the rule for what the peer sends; its id is the occurrence's.

    Kinds of message faults have the names of the actions of rules.
    """
    given: dict[str, Any] = dict(occurrence.parameters)
    names = {"message": "message", "probability": "probability", "limit": "limit", "ms": "delay_ms"}
    chosen = {names[key]: value for key, value in given.items() if value is not None}
    action: Any = occurrence.kind
    return Rule(occurrence.id, action, "out", **chosen)
