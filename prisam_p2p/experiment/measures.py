"""Compute a cell's measures (catalog.py) from its run folder."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from prisam_p2p.core.bits import unpack_bits
from prisam_p2p.experiment.cell_folder import CellFolder
from prisam_p2p.experiment.drift_analysis import drifted_peers, rounds_to_follow
from prisam_p2p.experiment.mask_analysis import AnnouncedMasks, pair_auc
from prisam_p2p.measure.files import write_whole
from prisam_p2p.measure.traffic import MASK, WEIGHTS
from prisam_p2p.report.exclusions import left_out
from prisam_p2p.report.groups import ari_by_round
from prisam_p2p.report.run_folder import Line, RunFolder
from prisam_p2p.report.summary import MOMENTS, read_summary, rounds_done, rounds_sat_out

SCHEMA = 6
MIB = 2**20

Values = dict[str, float | None]


@dataclass(frozen=True)
class Measurements:
    """The values of a run's measures.

    Attributes:
        values: measure -> value at the end of the run; None where it does not apply.
        rounds: round -> measure -> value after that round, for rounds with an evaluation.
    """

    values: Values
    rounds: dict[int, Values]


def measure(run: RunFolder) -> Measurements:
    """Compute the measures of a completed run."""
    summary = read_summary(run)
    rounds = _rounds(run)
    last: Values = rounds[max(rounds)] if rounds else {}
    pulled = [line for peer in run.peers for line in run.records(peer, "pulled")]
    peer_rounds = sum(rounds_done(run, peer) for peer in run.peers)
    sat_out = sum(rounds_sat_out(run, peer) for peer in run.peers)
    ends = [line for p in run.peers if (line := run.last(p, "deployed"))]
    masks, weights = summary["bytes"][MASK], summary["bytes"][WEIGHTS]
    dense, left = run.plan["model"], left_out(run)
    values: Values = {
        **{f"accuracy_{short}": summary["accuracy"][key] for short, key in _ACCURACIES.items()},
        "validation_deployed": _mean([line["validation"] for line in ends]),
        "ari": last.get("ari"),
        "mask_auc": last.get("mask_auc"),
        "chosen_in_group": summary["grouping"]["chosen_in_group"],
        "sent_mib": _sum_mib(summary["bytes"], "wire"),
        "weights_mib": weights["payload"] / MIB,
        "weights_mib_a_peer_and_round": _share(weights["payload"] / MIB, peer_rounds - sat_out),
        "mask_bytes": masks["payload"] / masks["messages"] if masks["messages"] else None,
        "weights_share": _mean([line["fetched_bytes"] / dense["n_bytes"] for line in pulled]),
        "model_bytes_share": _mean([line["n_bytes"] / dense["n_bytes"] for line in ends]),
        "macs_share": _mean([line["macs"] / dense["macs"] for line in ends]),
        "training_giga_macs": _mean([_training_giga_macs(p) for p in summary["peers"].values()]),
        "mega_macs": _mean([line["macs"] / 1e6 for line in ends]),
        "prune_ratio": _mean([line["prune_ratio"] for line in ends]),
        **_drift_values(run),
        "restarted_share": _share(len(_restarts(run)), peer_rounds),
        "left_out": left["masks"] + left["pulls"] + left["rounds"] if left["judged"] else None,
        "duration_s": summary["duration_s"],
    }
    return Measurements(values, rounds)


def _training_giga_macs(peer: Mapping[str, Any]) -> float | None:
    """Return those of a peer of summary.json; None if its journal lacks them."""
    macs = peer.get("training_macs")
    return macs / 1e9 if macs is not None else None


_AVERAGE_OR_TUNED = (MOMENTS[0], "after_fine_tuning")
_CANDIDATES = {
    "d-psgd": MOMENTS[:1],
    "d-psgd-ft": _AVERAGE_OR_TUNED,
    "fedavg-ft": _AVERAGE_OR_TUNED,
}
"""Algorithm -> the moments whose models it may deploy, the later first; all others: MOMENTS."""

_ACCURACIES = {
    "deployed": "deployed",
    "aggregated": "after_aggregation",
    "trained": "after_training",
}


def measured(cell_folder: Path) -> Measurements:
    """Return the measures of a cell, from measures.json if it exists; else compute and write it."""
    path = CellFolder(cell_folder).measures
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = {}
    if kept.get("schema") == SCHEMA:
        return Measurements(kept["values"], {int(t): v for t, v in kept["rounds"].items()})
    found = measure(RunFolder(cell_folder / "run"))
    write_whole(path, json.dumps({"schema": SCHEMA, **asdict(found)}, indent=1) + "\n")
    return found


def announced(run: RunFolder, round_index: int | None) -> AnnouncedMasks | None:
    """Return the masks that were announced in a round; round None = the last one with masks.

    Returns:
        None if no mask was announced in it.
    """
    by_round = _announced_by_round(run)
    if not by_round:
        return None
    return by_round.get(max(by_round) if round_index is None else round_index)


def _restarts(run: RunFolder) -> list[Line]:
    applied = run.records("launcher", "fault_applied")
    return [line for line in applied if line["kind"] == "restart"]


def _rounds(run: RunFolder) -> dict[int, Values]:
    by_round: dict[int, dict[str, dict[str, Line]]] = defaultdict(dict)
    for peer in run.peers:
        moments: dict[int, dict[str, Line]] = defaultdict(dict)
        for line in run.records(peer, "evaluated"):
            moments[line["round"]][line["moment"]] = line
        for t, found in moments.items():
            by_round[t][peer] = found
    aris = ari_by_round(run)
    aucs = {t: pair_auc(masks) for t, masks in _announced_by_round(run).items()}
    sent, weights = _mib_until(run)
    among = _CANDIDATES.get(run.plan["settings"]["algorithm"], MOMENTS)
    ends = {t: {p: _deployable(x, among) for p, x in of.items()} for t, of in by_round.items()}
    drifted = drifted_peers(run.data_groups)
    return {
        t: {
            "accuracy_deployed": _mean([line["test"] for line in ends[t].values()]),
            "accuracy_drifted": _mean([x["test"] for p, x in ends[t].items() if p in drifted]),
            "validation_deployed": _mean([line["validation"] for line in ends[t].values()]),
            "accuracy_aggregated": _mean([_test(each, MOMENTS[0]) for each in peers.values()]),
            "accuracy_trained": _mean([_test(each, MOMENTS[1]) for each in peers.values()]),
            "ari": aris.get(t),
            "mask_auc": aucs.get(t),
            "sent_mib": _until(sent, t),
            "weights_mib": _until(weights, t),
        }
        for t, peers in sorted(by_round.items())
    }


def _drift_values(run: RunFolder) -> Values:
    """Return how the peers followed data that changed; no values where none did."""
    followed = rounds_to_follow(run.data_groups, ari_by_round(run))
    drifted = drifted_peers(run.data_groups)
    ends = [line["test"] for p in sorted(drifted) if (line := run.last(p, "deployed"))]
    found = [n for n in followed.values() if n is not None]
    return {
        "accuracy_drifted": _mean(ends),
        "rounds_to_follow": _mean(found),
        "drifts_followed": _share(len(found), len(followed)),
    }


def _deployable(moments: dict[str, Line], among: Sequence[str]) -> Line:
    """Return the evaluation of the model that a device would deploy after this round.

    As in `Peer.deploy`, a tie goes to the later model.
    """
    found = [moment for moment in among if moment in moments]
    ordered = [moments[moment] for moment in found or MOMENTS if moment in moments]
    return max(ordered, key=lambda line: line["validation"])


def _test(moments: dict[str, Line], moment: str) -> float | None:
    return moments[moment]["test"] if moment in moments else None


def _announced_by_round(run: RunFolder) -> dict[int, AnnouncedMasks]:
    by_round: dict[int, dict[str, Any]] = defaultdict(dict)
    n_bits = run.plan["model"]["mask_bits"]
    for peer in run.peers:
        announced_rounds = {line["round"] for line in run.records(peer, "announced")}
        for line in run.records(peer, "masked"):
            if line["round"] in announced_rounds and line["similarity"]:
                by_round[line["round"]][peer] = _mask(line["similarity"], n_bits)
    found = {}
    for t, masks in sorted(by_round.items()):
        groups = run.data_groups.groups_at(t)
        known = {peer: -1 if (g := groups.get(peer)) is None else g for peer in masks}
        found[t] = AnnouncedMasks(masks, known)
    return found


def _mask(text: str, n_bits: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    packed = bytes.fromhex(text)
    return unpack_bits(packed, min(n_bits, 8 * len(packed)))


def _mib_until(run: RunFolder) -> tuple[dict[int, float], dict[int, float]]:
    """Return round -> MiB sent in it: of everything on the wire, and of weights' payload."""
    import duckdb  # late: the import takes 0.17 s

    query = (
        "SELECT round, sum(wire), sum(payload) FILTER (kind = ?) FROM read_parquet(?) "
        "GROUP BY round"
    )
    with duckdb.connect(":memory:") as database:
        rows = database.execute(query, [WEIGHTS, str(run.path / "ledger.parquet")]).fetchall()
    return (
        {t: float(wire) / MIB for t, wire, _ in rows},
        {t: float(payload or 0) / MIB for t, _, payload in rows},
    )


def _until(by_round: dict[int, float], t: int) -> float:
    return sum(mib for at, mib in by_round.items() if at <= t)


def _sum_mib(by_kind: dict[str, dict[str, int]], layer: str) -> float:
    totals: Counter[str] = Counter()
    for layers in by_kind.values():
        totals.update(layers)
    return totals[layer] / MIB


def _share(part: float, of: int) -> float | None:
    return part / of if of else None


def _mean(values: list[Any]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None
