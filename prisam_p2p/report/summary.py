"""summary.json: the result of a run in one file, made from its journals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from prisam_p2p.measure.files import write_whole
from prisam_p2p.measure.traffic import Count
from prisam_p2p.plan.data_groups import predecessor
from prisam_p2p.report.breakdown import SUMMED, by_kind
from prisam_p2p.report.checks import checks_json, run_checks
from prisam_p2p.report.closure import closure
from prisam_p2p.report.connection_ends import IN, OUT, Process
from prisam_p2p.report.counts import by_kind as counts_by_kind
from prisam_p2p.report.database import write_parquet
from prisam_p2p.report.exclusions import left_out, rejections
from prisam_p2p.report.faults import fault_verdicts, faults_json
from prisam_p2p.report.groups import ari_by_round, chosen_in_group
from prisam_p2p.report.headline import headline
from prisam_p2p.report.host_summary import host_summary
from prisam_p2p.report.ledger import Ledger, make_ledger
from prisam_p2p.report.lost import FAILED, KILLED, lost_as_json, lost_peers, round_in
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.run_tables import ledger_tables
from prisam_p2p.report.slim_run import SlimRun
from prisam_p2p.report.training_macs import training_macs

SCHEMA = 1
MOMENTS = ("after_aggregation", "after_training")


def write_summary(run: RunFolder) -> dict[str, Any]:
    """Write the run's summary.json, and its ledger beside it; return the summary.

    docs/run-folder.md documents its keys, docs/sql.md the columns of the ledger's two tables.
    """
    slim = SlimRun(run.path)
    ledger = make_ledger(slim, slim.processes)
    summary = summarize(slim, ledger)
    save_summary(run, summary, ledger)
    return summary


def save_summary(run: RunFolder, summary: dict[str, Any], ledger: Ledger) -> None:
    """Write what `write_summary` writes: summary.json first, the smallest.

    Raises:
        OSError, ResourceError: a file cannot be written; it names the file.
    """
    write_whole(run.path / "summary.json", json.dumps(summary, indent=1) + "\n")
    for table in ledger_tables(ledger):
        write_parquet(table, run.path / f"{table.name}.parquet")


def read_summary(run: RunFolder) -> dict[str, Any]:
    """Return the summary that `write_summary` wrote."""
    summary: dict[str, Any] = json.loads((run.path / "summary.json").read_text())
    return summary


def summarize(run: RunFolder, ledger: Ledger) -> dict[str, Any]:
    """Return the summary of a run folder, also of a run that was killed."""
    settings = run.plan["settings"]
    ended = run.ended()
    ready = run.last("launcher", "all_ready")
    peers = {peer: _peer(run, peer, (ended or {}).get("states", {}), ledger) for peer in run.peers}
    accuracy = {
        which: _mean([p["accuracy"][which] for p in peers.values()])
        for which in (*MOMENTS, "deployed")
    }
    ari = ari_by_round(run)
    summary = {
        "schema": SCHEMA,
        "status": ended["status"] if ended else KILLED,
        "algorithm": settings["algorithm"],
        "seed": settings["seed"],
        "rounds": settings["rounds"],
        "rounds_done": min(each["rounds_done"] for each in peers.values()),
        "duration_s": ended["duration_s"] if ended else None,
        "topology": run.plan["topology"],
        "start": {k: v for k, v in (ready or {}).items() if k not in ("t_s", "record")},
        "peers": peers,
        "lost": lost_as_json(lost_peers(run)),
        "accuracy": accuracy,
        "grouping": {
            "ari": list(ari.values())[-1] if ari else None,
            "ari_by_round": list(ari.values()),
            "chosen_in_group": chosen_in_group(run),
        },
        "bytes": _bytes(ledger),
        "hosts": host_summary(ledger, run.peers),
        "closure": closure(ledger),
        "rejected": rejections(run),
        "left_out": left_out(run),
        "checks": checks_json(run_checks(run)),
        "faults": faults_json(fault_verdicts(run, run.control_run)),
        "twin": _deployed(run.control_run) if run.control_run else None,
    }
    return {**summary, "headline": headline(summary)}


def _peer(run: RunFolder, peer: str, states: dict[str, str], ledger: Ledger) -> dict[str, Any]:
    plan, started = run.plan["peers"][peer], run.last(peer, "started")
    deployed, grouped = run.last(peer, "deployed"), run.last(peer, "grouped")
    evaluated = {line["moment"]: line for line in run.records(peer, "evaluated")}
    masked = run.last(peer, "masked")
    return {
        "pid": started["pid"] if started else None,
        "state": states.get(peer, "unknown"),
        "rounds_done": rounds_done(run, peer),
        "rounds_sat_out": rounds_sat_out(run, peer),
        "profile": plan["profile"]["name"],
        "host": ledger.hosts.of_peer(peer),
        "prune_ratio": masked["prune_ratio"] if masked else plan["prune_ratio"],
        "group": grouped["group"] if grouped else [peer],
        "data_group": run.data_groups.last_of(peer),
        "data_changes": [[x["round"], x["group"]] for x in plan.get("data_changes", ())],
        "replaces": predecessor(plan),
        "params": deployed["parameters"] if deployed else None,
        "macs": deployed["macs"] if deployed else None,
        "training_macs": training_macs(
            [*run.records(peer, "trained"), *run.records(peer, "probed")],
            [*run.records(peer, "compared"), *run.records(peer, "differentiated")],
        ),
        "accuracy": {
            **{m: evaluated[m]["test"] if m in evaluated else None for m in MOMENTS},
            "deployed": deployed["test"] if deployed else None,
        },
        "deployed_from": deployed["moment"] if deployed else None,
        "bytes": _moved(ledger.processes[peer]),
        "budgets": _asked_and_achieved(run, peer),
    }


def _deployed(run: RunFolder) -> float | None:
    """Return the mean accuracy that a run's peers deployed."""
    deployed = [run.last(peer, "deployed") for peer in run.peers]
    return _mean([line["test"] if line else None for line in deployed])


def _bytes(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Return kind -> messages, and bytes of each layer, of all links."""
    return {
        kind: dict(zip(SUMMED, numbers, strict=True))
        for kind, *numbers, _share in by_kind(ledger).rows
    }


def _moved(found: Sequence[Process]) -> dict[str, dict[str, dict[str, int]]]:
    """Return in and out -> kind -> the counts of all processes of a peer."""
    return {way: _kinds(each for p in found for each in p.moved(way)) for way in (IN, OUT)}


def _kinds(moved: Iterable[tuple[str, Count]]) -> dict[str, dict[str, int]]:
    return {
        kind: {
            "messages": count.messages,
            "payload": count.payload,
            "header": count.header,
            "framing": count.framing,
        }
        for kind, count in counts_by_kind(moved).items()
    }


def rounds_done(run: RunFolder, peer: str) -> int:
    """Return the rounds that a peer finished; of a killed peer, those in its traffic records.

    An algorithm that never communicates leaves none of these: then, the rounds before its last one.
    """
    finished = run.finished(peer)
    if finished and finished.get("state") != FAILED:  # one that failed could not tell
        return int(finished["rounds"])
    counted = {x["round"] for x in run.records(peer, "traffic") if not x["final"]}
    return len(counted) or round_in(run, peer)


def rounds_sat_out(run: RunFolder, peer: str) -> int:
    """Return how many of the rounds that a peer finished went by without it."""
    return len({line["round"] for line in run.records(peer, "sat_out")})


def _asked_and_achieved(run: RunFolder, peer: str) -> dict[str, Any]:
    """Return the budgets of the device's profile beside what the run achieved."""
    plan, profile = run.plan["peers"][peer], run.plan["peers"][peer]["profile"]
    trained = run.records(peer, "trained")
    cpu_s, wall_s = (sum(line[key] for line in trained) for key in ("cpu_s", "wall_s"))
    finished, exceeded = run.last(peer, "finished"), run.last(peer, "memory_exceeded")
    return {
        "speed": {"asked": profile["speed"], "achieved": _ratio(cpu_s, wall_s)},
        "memory_mib": {
            "asked": profile["memory_mib"],
            "achieved": finished["peak_mib"] if finished else None,
            "exceeded": exceeded is not None,
        },
        "storage_share": {
            "asked": _share(profile["storage_mib"], profile["storage_share"], run, "n_bytes"),
            "achieved": _ratio(plan["n_bytes"], run.plan["model"]["n_bytes"]),
        },
        "macs_share": {
            "asked": _share(profile["macs"], profile["macs_share"], run, "macs"),
            "achieved": _ratio(plan["macs"], run.plan["model"]["macs"]),
        },
        "down_mbit_s": {
            "asked": profile["down_mbit_s"],
            "achieved": finished["down_mbit_s"] if finished else None,
        },
        "up_mbit_s": {
            "asked": profile["up_mbit_s"],
            "achieved": finished["up_mbit_s"] if finished else None,
        },
    }


def _share(absolute: float | None, share: float | None, run: RunFolder, key: str) -> float | None:
    if absolute is None:
        return share
    unit = 2**20 if key == "n_bytes" else 1
    return _ratio(absolute * unit, run.plan["model"][key])


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 6) if known else None
