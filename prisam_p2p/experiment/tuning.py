"""Choose the candidate settings with the best validation accuracy, for each method. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prisam_p2p.experiment.cells import Labels, Trial, key_of

Tuned = dict[frozenset[Any], Mapping[str, Any]]
"""`key_of` labels of the tuned axes -> the chosen settings."""


@dataclass(frozen=True)
class Tried:
    """A trial and its result.

    Attributes:
        validation: mean validation accuracy of the deployed models; None if the run failed.
    """

    trial: Trial
    validation: float | None


def choose(tried: Sequence[Tried]) -> Tuned:
    """Return the best candidate for each combination of labels of the tuned axes.

    Only validation accuracy counts, not test accuracy. A tie goes to the first candidate in the
    file. Labels without a successful trial are left out.
    """
    best: dict[frozenset[Any], Tried] = {}
    for each in tried:
        if each.validation is None:
            continue
        key = key_of(each.trial.labels)
        if key not in best or each.validation > (best[key].validation or 0.0):
            best[key] = each
    return {key: each.trial.candidate for key, each in best.items()}


def record(tried: Sequence[Tried], tuned: Tuned) -> list[dict[str, Any]]:
    """Return the content of tuning.json: the candidates and the choice for each combination."""
    by_key: dict[frozenset[Any], list[Tried]] = {}
    for each in tried:
        by_key.setdefault(key_of(each.trial.labels), []).append(each)
    return [_entry(group[0].trial.labels, group, tuned.get(key)) for key, group in by_key.items()]


def _entry(
    labels: Labels, group: Sequence[Tried], chosen: Mapping[str, Any] | None
) -> dict[str, Any]:
    candidates = [
        {**each.trial.candidate, "validation": each.validation, "cell": each.trial.cell.name}
        for each in group
    ]
    at_edge = edges(chosen, [each.trial.candidate for each in group]) if chosen else []
    return {
        "labels": dict(labels),
        "chosen": chosen,
        "at_edge": at_edge,
        "candidates": candidates,
    }


def edges(chosen: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the settings whose chosen number is the least or the largest that was tried.

    The best value may lie beyond it. A setting with one value, or with words, has no edge.
    """
    found = []
    for name, value in chosen.items():
        tried = {each[name] for each in candidates}
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in tried)
        if numbers and len(tried) > 1 and value in (min(tried), max(tried)):
            found.append(name)
    return found
