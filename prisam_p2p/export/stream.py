"""From the tables of a run's page to points: aggregates over peers, and single peers if wanted.

Pure. A tag is MEASURE/mean, MEASURE/min or MEASURE/max over the peers, by_group/MEASURE/group_N for
the mean of a data group, by_peer/MEASURE/PEER for one peer, or of the whole network (bytes/KIND,
groups/ari). docs/export.md lists them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from prisam_p2p.export.points import ExportMarker, ExportPoint, tag_word
from prisam_p2p.page.data.shared import MOMENTS

_WORDS_OF_MOMENTS = dict(
    zip(MOMENTS, ("trained", "before_recalibration", "aggregated", "fine_tuned"), strict=True)
)
_OF_RESOURCES = {
    "cpu_s": "resources/cpu_s",
    "memory_mib": "resources/memory_mib",
    "sent_bytes": "resources/sent_bytes",
    "received_bytes": "resources/received_bytes",
    "speed": "resources/training_speed",
}

Row = Mapping[str, Any]
OfPeers = dict[str, dict[int, dict[int, tuple[float, float]]]]
"""Measure -> round -> peer's number -> (seconds, value)."""


def points_of(run: Mapping[str, Any], peers: Collection[int] = ()) -> list[ExportPoint]:
    """Return a run's points, by round and tag, each tag once in a round.

    Args:
        run: one of `runs` of a page's payload, of a run that is over or goes on.
        peers: numbers of the peers that get tags of their own.
    """
    ends = _ends_of_rounds(run)
    measures = _of_peers(run, ends)
    found = [
        *_aggregates(measures, _groups_in_time(run)),
        *_of_single_peers(measures, _names(run), peers),
        *_of_network(run, ends),
    ]
    return sorted(found, key=lambda each: (each.round, each.tag))


def markers_of(run: Mapping[str, Any]) -> list[ExportMarker]:
    """Return what faults did to a run, by round and tag."""
    ends, names = _ends_of_rounds(run), _names(run)
    found: list[ExportMarker] = []
    for at, row in enumerate(_rows(run, "faults")):
        tag = f"faults/{tag_word(str(row['occurrence']).replace('#', '.'), at)}"
        for t_s, text in _told_of_fault(row, names):
            found.append(ExportMarker(t_s, _round_at(ends, t_s), tag, text))
    return sorted(found, key=lambda each: (each.round, each.tag, each.t_s))


def rounds_over(run: Mapping[str, Any]) -> int:
    """Return how many rounds are over for all peers that run: their points do not change.

    A peer that is down and comes back may change them yet.
    """
    reached: dict[int, int] = {}
    for name in ("accuracy", "groups", "resources"):
        for row in _rows(run, name):
            over = row["round"] + (row.get("cpu_s") is not None)
            reached[row["peer"]] = max(reached.get(row["peer"], 0), over)
    running = [row["peer"] for row in _rows(run, "peers") if row["state"] == "running"]
    return min((reached.get(peer, 0) for peer in running), default=0)


# -- of peers --------------------------------------------------------------------------


def _of_peers(run: Mapping[str, Any], ends: Mapping[int, float]) -> OfPeers:
    found: OfPeers = {}

    def put(measure: str, row: Row, column: str, t_s: float | None) -> None:
        value, at = row.get(column), row["round"]
        if value is not None and isfinite(value):
            seconds = _end_of(ends, at) if t_s is None else t_s
            found.setdefault(measure, {}).setdefault(at, {})[row["peer"]] = seconds, float(value)

    for row in _rows(run, "accuracy"):
        moment = _WORDS_OF_MOMENTS[MOMENTS[row["moment"]]]
        put(f"accuracy/{moment}", row, "test", row["t_s"])
        put(f"validation/{moment}", row, "validation", row["t_s"])
    for row in _rows(run, "groups"):
        put("model/prune_ratio", row, "prune_ratio", None)
    for row in _rows(run, "arrivals"):
        put("waiting/for_masks_s", row, "waited_s", None)
    for row in _rows(run, "resources"):
        for column, measure in _OF_RESOURCES.items():
            put(measure, row, column, row.get("t_s"))
    if ends and run["facts"].get("status") != "running":
        for row in _rows(run, "peers"):
            put("deployed/accuracy", {**row, "round": max(ends)}, "deployed", None)
    return found


def _aggregates(
    measures: OfPeers, groups_at: Callable[[int], Mapping[int, int]]
) -> Iterator[ExportPoint]:
    for measure, rounds in measures.items():
        for at, of_peers in rounds.items():
            groups = groups_at(at)
            t_s = max(seconds for seconds, _ in of_peers.values())
            values = [of_peers[peer][1] for peer in sorted(of_peers)]
            for word, value in (
                ("mean", fmean(values)),
                ("min", min(values)),
                ("max", max(values)),
            ):
                yield ExportPoint(t_s, at, f"{measure}/{word}", value)
            for group in sorted(set(groups.values())):
                own = [of_peers[peer] for peer in sorted(of_peers) if groups.get(peer) == group]
                if own:
                    tag = f"by_group/{measure}/group_{group}"
                    last_s = max(seconds for seconds, _ in own)
                    yield ExportPoint(last_s, at, tag, fmean(value for _, value in own))


def _of_single_peers(
    measures: OfPeers, names: Sequence[str], peers: Collection[int]
) -> Iterator[ExportPoint]:
    for measure, rounds in measures.items():
        for at, of_peers in rounds.items():
            for peer in sorted(of_peers.keys() & set(peers)):
                tag = f"by_peer/{measure}/{tag_word(names[peer], peer)}"
                yield ExportPoint(of_peers[peer][0], at, tag, of_peers[peer][1])


def _groups(run: Mapping[str, Any]) -> dict[int, int]:
    """Return peer -> data group, {} where there are less than two groups."""
    found = {
        row["peer"]: row["group"]
        for row in _rows(run, "peers")
        if row["group"] is not None and row["group"] >= 0
    }
    return found if len(set(found.values())) > 1 else {}


def _groups_in_time(run: Mapping[str, Any]) -> Callable[[int], Mapping[int, int]]:
    """Return what tells the data groups of a round: peer -> group."""
    at_first, changes = _groups(run), [*_rows(run, "data_groups")]

    def groups_at(t: int) -> Mapping[int, int]:
        begun = {row["peer"]: row["group"] for row in changes if row["first_round"] <= t}
        return {**at_first, **begun} if at_first else {}

    return groups_at


def _names(run: Mapping[str, Any]) -> list[str]:
    return [str(row["id"]) for row in _rows(run, "peers")]


# -- of the network --------------------------------------------------------------------


def _of_network(run: Mapping[str, Any], ends: Mapping[int, float]) -> Iterator[ExportPoint]:
    for row in _rows(run, "ari"):
        if row["ari"] is not None:
            at = row["round"]
            yield ExportPoint(_end_of(ends, at), at, "groups/ari", float(row["ari"]))
    for row in _rows(run, "reference"):
        moment = _WORDS_OF_MOMENTS[MOMENTS[row["moment"]]]
        tag = f"reference/{tag_word(row['source'], 0)}/{moment}"
        yield ExportPoint(row["t_s"], row["round"], tag, float(row["mean"]))
    sums: Counter[tuple[int, str]] = Counter()
    for row in _rows(run, "bytes"):
        if (at := row["round"]) < 0:
            sums[0, "bytes/before_the_rounds"] += row["n_bytes"]
        else:
            sums[at, f"bytes/{tag_word(row['kind'], 0)}"] += row["n_bytes"]
            sums[at, "bytes/total"] += row["n_bytes"]
    for row in _rows(run, "push_everything"):
        if row["round"] >= 0:
            sums[row["round"], "bytes/push_everything"] += row["n_bytes"]
    for (at, tag), n_bytes in sums.items():
        yield ExportPoint(_end_of(ends, at), at, tag, float(n_bytes))


# -- faults ----------------------------------------------------------------------------


def _told_of_fault(row: Row, names: Sequence[str]) -> Iterator[tuple[float, str]]:
    """Yield when a fault was applied, healed and judged, and the sentence on it."""
    hit = ", ".join(names[peer] for peer in row["peers"] or ())
    if row["applied_s"] is None:
        return
    planned = f", planned for: {row['planned']}" if row["planned"] else ""
    yield row["applied_s"], f"applied: {row['kind']}{f' of {hit}' if hit else ''}{planned}"
    last_s = row["applied_s"]
    if row["healed_s"] is not None:
        last_s = row["healed_s"]
        yield last_s, "healed"
    if row["verdict"] is not None:
        told = "; ".join(each for each in (row["why"], row["cost"]) if each)
        yield last_s, f"verdict: {row['verdict']}{f' ({told})' if told else ''}"


# -- tables and times ------------------------------------------------------------------


def _rows(run: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    columns = run["tables"].get(name, {}).get("columns", {})
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(columns, cells, strict=True))


def _ends_of_rounds(run: Mapping[str, Any]) -> dict[int, float]:
    """Return round -> when its last evaluation was done, ascending."""
    found: dict[int, float] = {}
    for row in _rows(run, "accuracy"):
        found[row["round"]] = max(found.get(row["round"], 0.0), row["t_s"])
    return dict(sorted(found.items()))


def _end_of(ends: Mapping[int, float], at: int) -> float:
    """Return the end of a round; of one without evaluations, that of the last before it."""
    return max((end for each, end in ends.items() if each <= at), default=0.0)


def _round_at(ends: Mapping[int, float], t_s: float) -> int:
    """Return the round in which a time lies; the last one for a time after it."""
    rounds, times = list(ends), list(ends.values())
    return rounds[min(bisect_left(times, t_s), len(rounds) - 1)] if rounds else 0
