"""What all parts of the fold share: the plan's facts, the roll-ups, and the tables they fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.plan_facts import PlanFacts
from prisam_p2p.page.data.rollups import rollups
from prisam_p2p.page.data.tables import TABLES, Rows

LAUNCHER = -1
"""The launcher's number among peers."""

MOMENTS = ("after_training", "before_recalibration", "after_aggregation", "after_fine_tuning")
"""Moments at which a model is evaluated, by their number in the tables.

A model is fine-tuned once, after the last round; all others are moments of a round."""
AGGREGATED = MOMENTS.index("after_aggregation")

Take = Callable[[int, Line], None]
"""(number of the journal's peer, line): folds one record in."""
Handlers = Mapping[str, Take]
"""Name of a record -> what folds it in."""


class Shared:
    """The tables, and what decides which rows go into them.

    Attributes:
        latest_accuracies: peer -> its last test accuracy after aggregation.
    """

    def __init__(self, plan: PlanFacts) -> None:
        self.plan, self.rollups = plan, rollups(plan)
        self.tables = {name: Rows(name) for name in TABLES}
        self.latest_accuracies: dict[int, float] = {}

    def is_round(self, round_index: int) -> bool:
        """Tell whether a round is one of the run's."""
        return 0 <= round_index < self.plan.rounds

    def seconds(self, value: float) -> float:
        """Return a time as precisely as a page of this run has it."""
        return round(float(value), self.rollups.digits)

    def peers(self, ids: Any) -> list[int]:
        """Return the numbers of the peers among `ids`, ascending."""
        return sorted({n for each in ids if (n := self.plan.number(each)) >= 0})
