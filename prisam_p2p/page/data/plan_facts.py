"""What a page knows from plan.json alone. A plan may come from anybody: it is not trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prisam_p2p.plan.data_groups import DataGroups, data_groups

_MOST_ROUNDS = 100_000


@dataclass(frozen=True)
class PlanFacts:
    """What the fold asks of a plan.

    Attributes:
        ids: peers, ascending; a peer's number is its place in them.
        numbers: peer -> its number.
        groups: data group at the beginning, by peer's number; None: the split has none.
        data_groups: those of each round, by peer's id.
        neighbors: numbers of neighbors, ascending, by peer's number.
        rounds: of the run.
        mask_bits: bits of an announced mask; 0: unknown.
        mask_layers: (name, bits) of each channel set, in the mask's order; empty: not recorded.
        classes: number of classes.
        models: of how many models, or heads, each peer trains one (ifca, facade); else 0.
        clusters: into how many groups a peer's neighbors fall, if it clusters them; else 1.
    """

    ids: tuple[str, ...]
    numbers: Mapping[str, int]
    groups: tuple[int | None, ...]
    data_groups: DataGroups
    neighbors: tuple[tuple[int, ...], ...]
    rounds: int
    mask_bits: int
    mask_layers: tuple[tuple[str, int], ...]
    classes: int
    models: int
    clusters: int

    @property
    def n_links(self) -> int:
        """Number of directed links."""
        return sum(map(len, self.neighbors))

    def number(self, peer: object) -> int:
        """Return a peer's number, -1 for a stranger."""
        return self.numbers.get(peer, -1) if isinstance(peer, str) else -1


def plan_facts(plan: Mapping[str, Any]) -> PlanFacts:
    """Return the facts of a plan.json; what is missing or of a wrong type is empty."""
    peers = table(plan.get("peers"))
    ids = tuple(sorted(peers))
    numbers = {peer: n for n, peer in enumerate(ids)}
    model, settings = table(plan.get("model")), table(plan.get("settings"))
    plans = [table(peers[peer]) for peer in ids]
    return PlanFacts(
        ids=ids,
        numbers=numbers,
        groups=tuple(whole(each.get("group")) for each in plans),
        data_groups=data_groups(plan),
        neighbors=tuple(
            tuple(sorted(numbers[x] for x in texts(each.get("neighbors")) if x in numbers))
            for each in plans
        ),
        rounds=min(max(whole(settings.get("rounds")) or 0, 0), _MOST_ROUNDS),
        mask_bits=max(whole(model.get("mask_bits")) or 0, 0),
        mask_layers=_layers(model),
        classes=max(whole(model.get("n_classes")) or 0, 0),
        models=max(whole(plan.get("clusters")) or 0, 0) if _chooses_models(plan) else 0,
        clusters=max(whole(plan.get("clusters")) or 1, 1) if _clusters(plan) else 1,
    )


def _clusters(plan: Mapping[str, Any]) -> bool:
    traits = plan.get("traits")
    if isinstance(traits, dict):
        return bool(traits.get("clusters"))
    return table(plan.get("settings")).get("algorithm") == "prisam"


def _chooses_models(plan: Mapping[str, Any]) -> bool:
    return table(plan.get("traits")).get("masks") == "choice"


def _layers(model: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    found = []
    for each in items(model.get("mask_layers")):
        name, bits = (*items(each), None, None)[:2]
        if isinstance(name, str) and (n := whole(bits)) is not None and n >= 0:
            found.append((name, n))
    return tuple(found)


# -- values of JSON, as what they should be --------------------------------------------


def table(value: object) -> Mapping[str, Any]:
    """Return a JSON object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a JSON list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return the texts of a list."""
    return [each for each in items(value) if isinstance(each, str)]


def text(value: object) -> str:
    """Return a text, an empty one for anything else."""
    return value if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """Return an integer that a browser holds exactly, None for anything else."""
    return value if type(value) is int and abs(value) <= 2**53 else None


def number(value: object) -> float | None:
    """Return a finite number, None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if abs(value) < 1e300 and math.isfinite(value) else None
