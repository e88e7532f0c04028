"""A row for each planned fault: when it was planned, applied, verified, healed, and over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.plan_facts import items, number, table, text, texts, whole
from prisam_p2p.page.data.shared import Handlers, Shared

Occurrence = Mapping[str, Any]
Times = dict[tuple[str, str], float]
"""(occurrence, peer) -> seconds."""


class FaultRows:
    """Folds the launcher's records of faults, and the ends of the rounds of the peers they hit.

    Args:
        occurrences: of faults.json; what is not an occurrence is left out.
    """

    def __init__(self, shared: Shared, occurrences: Sequence[Any]) -> None:
        self._shared, self._rows = shared, shared.tables["faults"]
        self._planned = {text(each["id"]): each for each in occurrences if _is_occurrence(each)}
        self._applied: Times = {}
        self._verified: Times = {}
        self._healed: Times = {}
        self._late: dict[str, float] = {}
        self._evidence: dict[str, dict[str, list[str]]] = {}
        self._began_s: float | None = None
        self._rounds: dict[int, list[tuple[float, int]]] = {}
        for each in self._planned.values():
            self._put(each)

    @property
    def handlers(self) -> Handlers:
        """Record of a peer -> what folds it."""
        return {"traffic": self._traffic} if self._planned else {}

    @property
    def launcher_handlers(self) -> Handlers:
        """Record of the launcher -> what folds it."""
        if not self._planned:
            return {}
        return {
            "all_ready": self._all_ready,
            "fault_applied": self._fault_applied,
            "fault_verified": self._fault_verified,
            "fault_healed": self._fault_healed,
            "fault_missed": self._fault_missed,
        }

    @property
    def cut_links(self) -> dict[tuple[int, int], int]:
        """Directed link -> number of applied faults that touched it."""
        found: dict[tuple[int, int], int] = {}
        for name, each in self._planned.items():
            if any(fault == name for fault, _ in self._applied):
                for link in _links(self._shared, each):
                    found[link[0], link[1]] = found.get((link[0], link[1]), 0) + 1
        return found

    def settle(self) -> None:
        """Bring the rows up to date: what follows from the journals of several processes."""
        for name, each in self._planned.items():
            healed = [t for (fault, _), t in self._healed.items() if fault == name]
            over = self._first_rounds(name)
            self._rows.change(
                (name,),
                planned_s=self._planned_s(each),
                applied_s=_first(self._applied, name),
                verified_s=_first(self._verified, name),
                healed_s=max(healed, default=None),
                first_round_after=max(over, default=(None, None))[1],
                first_round_after_s=max(over, default=(None, None))[0],
                late_s=self._late.get(name),
                evidence="; ".join(
                    f"{', '.join(peers)}: {told}"
                    for told, peers in self._evidence.get(name, {}).items()
                ),
            )

    def _put(self, each: Occurrence) -> None:
        trigger = table(each.get("trigger"))
        self._rows.change(
            (each["id"],),
            kind=text(each.get("kind")),
            peers=self._shared.peers(texts(each.get("peers"))),
            links=_links(self._shared, each),
            round=whole(trigger.get("round")),
            planned=planned_in_words(trigger),
        )

    def _all_ready(self, _: int, line: Line) -> None:
        self._began_s = line["t_s"] if self._began_s is None else self._began_s

    def _fault_applied(self, _: int, line: Line) -> None:
        name = line["fault"]
        self._applied.setdefault((name, line["peer"]), self._shared.seconds(line["t_s"]))
        self._late[name] = max(self._late.get(name, 0.0), line["late_s"])

    def _fault_verified(self, _: int, line: Line) -> None:
        at_s = self._shared.seconds(line["t_s"])
        self._verified.setdefault((line["fault"], line["peer"]), at_s)
        self._tell(line, line["evidence"])

    def _fault_healed(self, _: int, line: Line) -> None:
        self._healed[line["fault"], line["peer"]] = self._shared.seconds(line["t_s"])

    def _fault_missed(self, _: int, line: Line) -> None:
        self._tell(line, f"missed: {line['reason']}")

    def _tell(self, line: Line, evidence: str) -> None:
        """Keep what was said of a peer; what was said of many alike is shown once."""
        peers = self._evidence.setdefault(line["fault"], {}).setdefault(evidence, [])
        if line["peer"] not in peers:
            peers.append(line["peer"])

    def _traffic(self, peer: int, line: Line) -> None:
        if not line["final"] and self._shared.is_round(line["round"]):
            ends = self._rounds.setdefault(peer, [])
            ends.append((self._shared.seconds(line["t_s"]), line["round"]))

    def _first_rounds(self, name: str) -> list[tuple[float, int]]:
        """Return, of each peer that was healed, the end of its first round after that."""
        found = []
        for (fault, peer), healed_s in self._healed.items():
            if fault == name:
                ends = self._rounds.get(self._shared.plan.number(peer), [])
                found += [end for end in ends if end[0] > healed_s][:1]
        return found

    def _planned_s(self, each: Occurrence) -> float | None:
        trigger = table(each.get("trigger"))
        time_s, delay_s = number(trigger.get("time_s")), number(trigger.get("delay_s"))
        if time_s is not None and self._began_s is not None:
            return self._shared.seconds(self._began_s + time_s)
        times = self._healed if trigger.get("edge") == "healed" else self._applied
        other_s = _first(times, text(trigger.get("after")))
        if delay_s is None or other_s is None:
            return None
        return self._shared.seconds(other_s + delay_s)


def planned_in_words(trigger: Mapping[str, Any]) -> str:
    """Return when an occurrence is to happen."""
    at, phase = whole(trigger.get("round")), text(trigger.get("phase"))
    time_s, share = number(trigger.get("time_s")), number(trigger.get("share"))
    if phase and at is not None:
        return f"round {at}, {phase}"
    if time_s is not None:
        return f"{time_s:g} s after the rounds began"
    if share is not None:
        which = "a transfer" if at is None else f"a transfer of round {at}"
        return f"after {share:.0%} of {which}"
    if after := text(trigger.get("after")):
        delay_s = number(trigger.get("delay_s")) or 0.0
        return f"{delay_s:g} s after {after} was {text(trigger.get('edge')) or 'applied'}"
    return ""


def _is_occurrence(each: object) -> bool:
    return isinstance(each, dict) and bool(text(each.get("id")))


def _links(shared: Shared, each: Occurrence) -> list[list[int]]:
    ends = ([shared.plan.number(end) for end in items(link)] for link in items(each.get("links")))
    return [link for link in ends if len(link) == 2 and min(link) >= 0]


def _first(times: Times, name: str) -> float | None:
    return min((t for (fault, _), t in times.items() if fault == name), default=None)
