"""What only a run that is over has: its summary, its ledger, its closure and its verdicts. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prisam_p2p.page.data.closure_rows import closure_rows
from prisam_p2p.page.data.fault_rows import FaultRows
from prisam_p2p.page.data.plan_facts import number, table
from prisam_p2p.page.data.shared import Shared
from prisam_p2p.page.data.tiles import concluded_tiles
from prisam_p2p.report.ledger import Ledger

BEYOND = "beyond"
"""Layer of the bytes on the wire beyond the stream."""

Means = Mapping[tuple[int, int], tuple[float, float]]
"""(round, moment) -> means over the peers of the test accuracy, and of the time in seconds."""


@dataclass(frozen=True)
class Conclusion:
    """What a run's end told.

    Attributes:
        summary: as in summary.json; None where the journals do not allow one.
        baseline: the summary of the baseline's run, if there was one.
        ledger: None where the journals do not allow one.
        pushes: round -> bytes on the wire of a push of all weights to all neighbors.
        links: those of plan.json that have properties: "FROM->TO" -> properties.
        references: "baseline" or "control" -> its means.
        missing: sentences on what cannot be said, and why.
    """

    summary: Mapping[str, Any] | None = None
    baseline: Mapping[str, Any] | None = None
    ledger: Ledger | None = None
    pushes: Mapping[int, int] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, Means] = field(default_factory=dict)
    missing: Sequence[str] = ()


def conclude(conclusion: Conclusion, shared: Shared, faults: FaultRows) -> None:
    """Fill the tables that follow from a conclusion, and correct those that the fold guessed."""
    tables, summary = shared.tables, conclusion.summary
    for source, means in conclusion.references.items():
        for (at, moment), (mean, t_s) in means.items():
            tables["reference"].put(source, at, moment, round(mean, 6), shared.seconds(t_s))
    for at, n_bytes in conclusion.pushes.items():
        tables["push_everything"].put(at, n_bytes)
    _put_links(conclusion, shared, faults.cut_links)
    if conclusion.ledger is not None:
        _put_bytes(conclusion.ledger, shared)
        for step, row in enumerate(closure_rows(conclusion.ledger)):
            tables["closure"].put(step, *row)
    for tile in concluded_tiles(summary, conclusion.baseline):
        tables["tiles"].put(*tile)
    if summary is not None:
        _put_peers(summary, conclusion.baseline, shared)
        for each in summary["checks"]:
            tables["checks"].put(each["check"], each["verdict"], each["why"])
        for each in summary["faults"]:
            cells = {"verdict": each["verdict"], "why": each["why"], "cost": cost_in_words(each)}
            tables["faults"].change((each["id"],), **cells)


def cost_in_words(fault: Mapping[str, Any]) -> str:
    """Return what an occurrence cost, of an entry of summary.json's faults; "" for nothing."""
    told = []
    if fault["detected_s"] is not None:
        told.append(f"noticed after {fault['detected_s']:.2f} s")
    if fault["rounds_lost"]:
        told.append(f"masks missing: {fault['rounds_lost']}")
    if fault["bytes_wasted"]:
        told.append(f"{fault['bytes_wasted']:,} B fetched and thrown away")
    if fault["accuracy_change"] is not None:
        told.append(f"accuracy {fault['accuracy_change']:+.3f} against the control run")
    return "; ".join(told)


def _put_peers(
    summary: Mapping[str, Any], baseline: Mapping[str, Any] | None, shared: Shared
) -> None:
    rows = shared.tables["peers"]
    lost = {each["peer"]: each["reason"] for each in summary["lost"]}
    of_baseline = baseline["peers"] if baseline else {}
    for peer, each in summary["peers"].items():
        budgets, key = each["budgets"], (shared.plan.number(peer),)
        rows.change(
            key,
            state=each["state"],
            reason=lost.get(peer, rows.get(key, "reason")),
            rounds_done=each["rounds_done"],
            prune_ratio=each["prune_ratio"],
            achieved_speed=budgets["speed"]["achieved"],
            peak_mib=budgets["memory_mib"]["achieved"],
            up_peak=budgets["up_mbit_s"]["achieved"],
            down_peak=budgets["down_mbit_s"]["achieved"],
            deployed=each["accuracy"]["deployed"],
            local=of_baseline[peer]["accuracy"]["deployed"] if peer in of_baseline else None,
        )


def _put_bytes(ledger: Ledger, shared: Shared) -> None:
    """Fill the table of bytes, and say by which bytes on the wire an accuracy was reached."""
    sums: Counter[tuple[int, str, str]] = Counter()
    of_peers: Counter[tuple[int, int]] = Counter()
    for row in ledger.rows:
        sums[row.round, row.kind, "payload"] += row.payload
        sums[row.round, row.kind, "header"] += row.header
        sums[row.round, row.kind, "framing"] += row.framing
        sums[row.round, row.kind, BEYOND] += row.wire - row.stream
        for end in (row.sender, row.receiver):
            of_peers[shared.plan.number(end), row.round] += row.wire
    for key, n_bytes in sums.items():
        shared.tables["bytes"].put(*key, n_bytes)
    rounds: dict[int, list[int]] = {}
    so_far: dict[int, list[int]] = {}
    for (peer, at), n_bytes in sorted(of_peers.items()):
        rounds.setdefault(peer, []).append(at)
        sums_of_peer = so_far.setdefault(peer, [0])
        sums_of_peer.append(sums_of_peer[-1] + n_bytes)
    rows = shared.tables["accuracy"]
    for peer, at, moment in rows.ascending():
        n_rounds = bisect_right(rounds.get(peer, []), at if moment else at - 1)
        moved = so_far.get(peer, [0])[n_rounds]
        rows.change((peer, at, moment), wire_mib=round(moved / 2**20, 3))


def _put_links(conclusion: Conclusion, shared: Shared, cuts: Mapping[tuple[int, int], int]) -> None:
    """Fill the table of links: those of the plan, with what the ledger says passed them."""
    plan, payload, wire = shared.plan, Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for row in conclusion.ledger.rows if conclusion.ledger else ():
        link = plan.number(row.sender), plan.number(row.receiver)
        payload[link] += row.payload
        wire[link] += row.wire
    known = conclusion.ledger is not None
    planned = {(a, b) for a, neighbors in enumerate(plan.neighbors) for b in neighbors}
    for sender, receiver in sorted(planned | {each for each in wire if min(each) >= 0}):
        link = sender, receiver
        properties = table(conclusion.links.get(f"{plan.ids[sender]}->{plan.ids[receiver]}"))
        shared.tables["links"].put(
            *link,
            payload[link] if known else None,
            wire[link] if known else None,
            number(properties.get("rate_mbit_s")),
            number(properties.get("delay_ms")),
            cuts.get(link, 0),
        )
