"""Did the peers find the groups that the data were split into?"""

from __future__ import annotations

from functools import cache
from statistics import fmean

from prisam_p2p.report.run_folder import RunFolder


def ari_by_round(run: RunFolder) -> dict[int, float]:
    """Return round -> adjusted Rand index of the peers' clusterings against the data's groups.

    Each peer clusters what it heard, itself included; the index is the mean over the peers.
    Rounds without a clustering (top-m has none), and splits without groups, have none.
    """
    truth = {peer: plan["group"] for peer, plan in run.plan["peers"].items()}
    clusterings = any(line["labels"] for p in run.peers for line in run.records(p, "grouped"))
    if None in truth.values() or not clusterings:
        return {}
    from sklearn.metrics import adjusted_rand_score  # here: it takes a second to import

    @cache  # most peers have heard the same, and see the same groups
    def score(groups: tuple[int, ...], labels: tuple[int, ...]) -> float:
        return float(adjusted_rand_score(groups, labels))

    scores: dict[int, list[float]] = {}
    for peer in run.peers:
        for line in run.records(peer, "grouped"):
            if len(line["labels"]) > 1:  # alone, any clustering is right
                heard = sorted(line["labels"])
                groups = tuple(truth[p] for p in heard)
                found = score(groups, tuple(line["labels"][p] for p in heard))
                scores.setdefault(line["round"], []).append(found)
    return {t: fmean(values) for t, values in sorted(scores.items())}


def chosen_in_group(run: RunFolder) -> float | None:
    """Return, over all rounds, the share of chosen peers that are of the chooser's true group."""
    truth = {peer: plan["group"] for peer, plan in run.plan["peers"].items()}
    chosen = [
        truth[peer] == truth[other]
        for peer in run.peers
        for line in run.records(peer, "grouped")
        for other in line["group"]
        if other != peer
    ]
    return fmean(chosen) if chosen and None not in truth.values() else None
