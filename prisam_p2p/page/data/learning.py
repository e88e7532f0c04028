"""How well the models are, and what training cost: accuracy by round, by class, and resources."""

from __future__ import annotations

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.shared import AGGREGATED, MOMENTS, Handlers, Shared


class Learning:
    """Folds the records of training and evaluation."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._tables = shared, shared.tables
        self._trained_s: dict[int, float] = {}
        self._cpu_s: dict[int, float] = {}

    @property
    def handlers(self) -> Handlers:
        """Record -> what folds it."""
        return {
            "trained": self._trained,
            "evaluated": self._evaluated,
            "deployed": self._deployed,
            "resources": self._resources,
        }

    def _trained(self, peer: int, line: Line) -> None:
        self._trained_s[peer] = self._trained_s.get(peer, 0.0) + line["wall_s"]
        self._cpu_s[peer] = self._cpu_s.get(peer, 0.0) + line["cpu_s"]
        if wall_s := self._trained_s[peer]:
            speed = round(self._cpu_s[peer] / wall_s, 4)
            self._tables["peers"].change((peer,), achieved_speed=speed)
        self._tables["resources"].change((peer, line["round"]), speed=line["speed_achieved"])

    def _evaluated(self, peer: int, line: Line) -> None:
        if line["moment"] not in MOMENTS:
            return
        key = peer, line["round"], MOMENTS.index(line["moment"])
        seconds = self._shared.seconds
        device_s = seconds(self._trained_s.get(peer, 0.0))
        self._tables["accuracy"].put(
            *key, line["validation"], line["test"], seconds(line["t_s"]), device_s, None
        )
        if key[2] == AGGREGATED:
            self._shared.latest_accuracies[peer] = line["test"]
        if line.get("of") and self._shared.rollups.per_class.keeps(line["round"]):
            self._tables["per_class"].put(*key, line["right"], line["of"])

    def _deployed(self, peer: int, line: Line) -> None:
        self._tables["peers"].change(
            (peer,),
            deployed=line["test"],
            prune_ratio=line["prune_ratio"],
            parameters=line["parameters"],
            macs=line["macs"],
            n_bytes=line["n_bytes"],
        )

    def _resources(self, peer: int, line: Line) -> None:
        self._tables["resources"].change(
            (peer, line["round"]),
            t_s=self._shared.seconds(line["t_s"]),
            cpu_s=line["cpu_s"],
            memory_mib=line["memory_mib"],
            sent_bytes=line["sent_bytes"],
            received_bytes=line["received_bytes"],
        )
