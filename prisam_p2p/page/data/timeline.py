"""Who did what, when: phases, pulls in lanes, what donors served, and the arrival of masks."""

from __future__ import annotations

from statistics import median

from prisam_p2p.control.activity import Activity
from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.shared import Handlers, Shared
from prisam_p2p.page.data.tables import Key

OTHER = "other"
PHASES = (*dict.fromkeys(each.phase for each in Activity), OTHER)
"""Phases by their number in the table `spans`; the last one stands for those that it lacks."""

_SLOWEST = 3


class Timeline:
    """Folds the records of a peer's time."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._tables = shared, shared.tables
        self._lanes: dict[int, list[float]] = {}
        self._last_pulls: dict[int, dict[tuple[int, int], Key]] = {}

    @property
    def handlers(self) -> Handlers:
        """Record -> what folds it."""
        return {
            "started": self._started,
            "spans": self._spans,
            "pulled": self._pulled,
            "pull_failed": self._pull_failed,
            "rejected": self._rejected,
            "served": self._served,
            "heard": self._heard,
            "arrivals": self._arrivals,
            "sat_out": self._sat_out,
        }

    def _started(self, peer: int, line: Line) -> None:
        """Another process of a peer may do a round again."""
        self._lanes[peer], self._last_pulls[peer] = [], {}

    def _spans(self, peer: int, line: Line) -> None:
        seconds, put = self._shared.seconds, self._tables["spans"].put
        for phase, begin_s, end_s in line["spans"]:
            begin_s, end_s = seconds(begin_s), seconds(end_s)
            if begin_s < end_s:  # as precisely as the page has it
                number = _NUMBERS.get(phase, len(PHASES) - 1)
                put(peer, begin_s, number, line["round"], end_s)

    def _sat_out(self, peer: int, line: Line) -> None:
        """Tell a round that a peer was not drawn for from one in which it was down."""
        seconds, end_s = self._shared.seconds, line["t_s"]
        begin_s = end_s - line["waited_s"]
        self._tables["sat_out"].put(peer, line["round"], seconds(begin_s), seconds(end_s))

    # -- pulls -------------------------------------------------------------------------

    def _pulled(self, peer: int, line: Line) -> None:
        began_s = line.get("began_s")
        if began_s is None:
            began_s = line["t_s"] - line["wall_s"]
        self._pull(peer, line, began_s, "arrived", "", line["n_bytes"], line["fetched_bytes"])

    def _pull_failed(self, peer: int, line: Line) -> None:
        began_s = line.get("began_s")
        self._pull(
            peer, line, line["t_s"] if began_s is None else began_s, "failed", line["reason"]
        )

    def _rejected(self, peer: int, line: Line) -> None:
        """The weights had arrived before (a check of norms), or are rejected on arrival."""
        reason = f"{line['check']}: {line['detail']}"
        donor, at = self._shared.plan.number(line["donor"]), line["round"]
        key = self._last_pulls.get(peer, {}).get((at, donor))
        if key is not None:
            self._tables["pulls"].change(key, outcome="rejected", reason=reason)
            return
        began_s = line["t_s"] - (line.get("wall_s") or 0.0)
        self._pull(peer, line, began_s, "rejected", reason, None, line.get("fetched_bytes"))

    def _pull(
        self,
        peer: int,
        line: Line,
        began_s: float,
        outcome: str,
        reason: str,
        n_bytes: int | None = None,
        fetched: int | None = None,
    ) -> None:
        donor, at = self._shared.plan.number(line["donor"]), line["round"]
        if not self._shared.rollups.pulls.keeps(at):
            return
        began_s, end_s = self._shared.seconds(began_s), self._shared.seconds(line["t_s"])
        key = peer, began_s, donor
        lane = self._lane(peer, began_s, end_s)
        self._last_pulls.setdefault(peer, {})[at, donor] = key
        self._tables["pulls"].put(*key, at, end_s, n_bytes, fetched, lane, outcome, reason)

    def _lane(self, peer: int, began_s: float, end_s: float) -> int:
        """Return the first lane of a peer in which nothing overlaps; pulls come by their end."""
        lanes = self._lanes.setdefault(peer, [])
        for lane, free_s in enumerate(lanes):
            if free_s <= began_s:
                lanes[lane] = end_s
                return lane
        lanes.append(end_s)
        return len(lanes) - 1

    def _served(self, peer: int, line: Line) -> None:
        if not self._shared.rollups.servings.keeps(line["round"]):
            return
        seconds = self._shared.seconds
        began_s = line.get("began_s")
        end_s = line["t_s"] if began_s is None else began_s + line["wall_s"]
        self._tables["servings"].put(
            peer,
            self._shared.plan.number(line["to"]),
            seconds(end_s),
            line["round"],
            seconds(line["queued_s"]),
            seconds(end_s - line["wall_s"]),
            line["n_bytes"],
            line["state"],
        )

    # -- masks -------------------------------------------------------------------------

    def _heard(self, peer: int, line: Line) -> None:
        number = self._shared.plan.number
        missing = sorted([number(who), why] for who, why in line["missing"].items())
        self._tables["arrivals"].change(
            (peer, line["round"]), waited_s=self._shared.seconds(line["waited_s"]), missing=missing
        )

    def _arrivals(self, peer: int, line: Line) -> None:
        seconds, t0_s = self._shared.seconds, line["t0_s"]
        neighbors = self._shared.plan.neighbors[peer]
        come = sorted(
            (ms, who) for who, ms in zip(neighbors, line["ms"], strict=False) if ms is not None
        )
        cells = (
            {
                "first_s": seconds(t0_s + come[0][0] / 1000),
                "median_s": seconds(t0_s + median(ms for ms, _ in come) / 1000),
                "last_s": seconds(t0_s + come[-1][0] / 1000),
            }
            if come
            else {}
        )
        if self._shared.rollups.offsets:
            cells["offsets"] = line["ms"]
        slowest = [who for _, who in reversed(come[-_SLOWEST:])]
        self._tables["arrivals"].change((peer, line["round"]), slowest=slowest, **cells)


_NUMBERS = {phase: number for number, phase in enumerate(PHASES)}
