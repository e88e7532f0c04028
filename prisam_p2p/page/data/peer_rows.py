"""A row for each peer: its plan, its device, its state. What a summary tells better comes later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.plan_facts import items, number, table, text, whole
from prisam_p2p.page.data.shared import Handlers, Shared
from prisam_p2p.plan.data_groups import predecessor

NOT_STARTED, RUNNING = "not started", "running"


class PeerRows:
    """Folds the records of a peer's life.

    Its state has two witnesses, the launcher's journal and the peer's own, which may come in any
    order: the launcher's last word on an ended process wins over the peer's.
    """

    def __init__(self, shared: Shared, plan: Mapping[str, Any]) -> None:
        self._shared, self._rows = shared, shared.tables["peers"]
        self._own: dict[int, tuple[str, str]] = {}
        self._launchers: dict[int, str] = {}
        self._rounds: dict[int, set[int]] = {}
        peers = table(plan.get("peers"))
        for at, peer in enumerate(shared.plan.ids):
            self._put(at, peer, table(peers[peer]))
            self._put_data_groups(at, peer)

    @property
    def handlers(self) -> Handlers:
        """Record of a peer -> what folds it."""
        return {
            "started": self._started,
            "finished": self._finished,
            "traffic": self._traffic,
            "masked": self._masked,
            "guard_acted": self._masked,
        }

    @property
    def launcher_handlers(self) -> Handlers:
        """Record of the launcher -> what folds it."""
        return {
            "peer_started": self._peer_started,
            "peer_ended": self._peer_ended,
            "run_ended": self._run_ended,
        }

    def _put(self, at: int, peer: str, plan: Mapping[str, Any]) -> None:
        profile = table(plan.get("profile"))
        classes = [n for each in items(plan.get("classes")) if (n := whole(each)) is not None]
        self._rows.change(
            (at,),
            id=peer,
            group=-1 if self._shared.plan.groups[at] is None else self._shared.plan.groups[at],
            profile=text(profile.get("name")),
            state=NOT_STARTED,
            reason="",
            rounds_done=0,
            prune_ratio=number(plan.get("prune_ratio")),
            parameters=whole(plan.get("parameters")),
            n_bytes=whole(plan.get("n_bytes")),
            macs=whole(plan.get("macs")),
            train_images=sum(classes),
            classes=classes,
            asked_speed=number(profile.get("speed")),
            memory_mib=number(profile.get("memory_mib")),
            up_mbit_s=number(profile.get("up_mbit_s")),
            down_mbit_s=number(profile.get("down_mbit_s")),
            host="",
            replaces=predecessor(plan) or "",
        )

    def _put_data_groups(self, at: int, peer: str) -> None:
        """Put in the data groups of a peer that is of more than one, one after the other."""
        periods = self._shared.plan.data_groups.periods.get(peer, ())
        for each in periods if len(periods) > 1 else ():
            group = -1 if each.group is None else each.group
            self._shared.tables["data_groups"].put(at, each.first, group)

    def _started(self, peer: int, line: Line) -> None:
        self._own[peer] = RUNNING, ""
        self._tell(peer)

    def _finished(self, peer: int, line: Line) -> None:
        self._own[peer] = line["state"], line.get("reason", "")
        self._rows.change(
            (peer,),
            peak_mib=line.get("peak_mib"),
            up_peak=line.get("up_mbit_s"),
            down_peak=line.get("down_mbit_s"),
        )
        self._tell(peer)

    def _peer_started(self, _: int, line: Line) -> None:
        self._launcher_says(line["peer"], "")

    def _peer_ended(self, _: int, line: Line) -> None:
        code = line["exit_code"]
        self._launcher_says(line["peer"], f"ended with {code}" if code else "")

    def _run_ended(self, _: int, line: Line) -> None:
        for peer, state in line["states"].items():
            self._launcher_says(peer, state)

    def _launcher_says(self, peer: str, state: str) -> None:
        if (at := self._shared.plan.number(peer)) >= 0:
            self._launchers[at] = state
            self._tell(at)

    def _tell(self, peer: int) -> None:
        launchers = self._launchers.get(peer)
        own, reason = self._own.get(peer, (NOT_STARTED if launchers is None else RUNNING, ""))
        self._rows.change((peer,), state=launchers or own, reason=reason)

    def _traffic(self, peer: int, line: Line) -> None:
        if not line["final"] and self._shared.is_round(line["round"]):
            self._rounds.setdefault(peer, set()).add(line["round"])
            self._rows.change((peer,), rounds_done=len(self._rounds[peer]))

    def _masked(self, peer: int, line: Line) -> None:
        self._rows.change((peer,), prune_ratio=line["prune_ratio"])
