"""The report of `prisam bytes`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prisam_p2p.console import output_width, wrapped
from prisam_p2p.report import breakdown
from prisam_p2p.report.closure import closure, closure_lines
from prisam_p2p.report.comparisons import compare_protocols
from prisam_p2p.report.database import write_parquet
from prisam_p2p.report.ledger import Ledger, make_ledger
from prisam_p2p.report.output import as_json, as_text, give, needs_a_file
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.run_tables import Table
from prisam_p2p.wire import ethernet

BREAKDOWNS = tuple(breakdown.TABLES)


def report_bytes(run: RunFolder, by: str | None, top: int, output: str, out: Path | None) -> None:
    """Print, or write to `out`, where a run's bytes went.

    Args:
        by: one of BREAKDOWNS; None: the whole report, of which csv and parquet hold the
            breakdown by kind.
        top: number of links, and of peers, that are listed.

    Raises:
        ConfigError: this is no run folder, or Parquet is asked for without a file.
    """
    needs_a_file(output, out)
    ledger = make_ledger(run)
    if by is None and output in ("table", "json"):
        text = _all_tables(run, ledger, top, out) if output == "table" else _all(run, ledger, top)
        give(text, out)
        return
    table = _cut(breakdown.TABLES[by or "kind"](ledger), top)
    if output == "parquet" and out is not None:
        write_parquet(table, out)
    else:
        give(as_text(table, output, out), out)


def _cut(table: Table, top: int) -> Table:
    listed = table.rows[:top] if table.name in ("link", "peer") else table.rows
    return replace(table, rows=listed)


def _all(run: RunFolder, ledger: Ledger, top: int) -> str:
    tables = {name: _cut(make(ledger), top) for name, make in breakdown.TABLES.items()}
    parts = {
        f"by_{name}": [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for name, table in tables.items()
    }
    return as_json(
        {**parts, "closure": closure(ledger), "comparisons": compare_protocols(run, ledger)}
    )


def _all_tables(run: RunFolder, ledger: Ledger, top: int, out: Path | None) -> str:
    titles = {
        "kind": "By kind, bytes:",
        "layer": "By layer:",
        "link": f"Top {top} links:",
        "round": "By round (-1: before the first announcement; handshakes and heartbeats):",
    }
    if ledger.hosts:
        titles["host"] = "By host of the sender and of the receiver:"
    tables = {name: _cut(breakdown.TABLES[name](ledger), top) for name in titles}
    width = None if out else output_width()
    texts = [
        wrapped(title, width) + as_text(tables[name], "table", out)
        for name, title in titles.items()
    ]
    lines = [*_compared(compare_protocols(run, ledger)), *closure_lines(closure(ledger))]
    told = [wrapped(line, width) for line in (*lines, _wire_line(ledger))]
    return "\n".join(texts) + "\n" + "".join(told)


def _compared(compared: dict[str, Any]) -> list[str]:
    discovery, run = compared["discovery"], compared["this_run"]
    push, exact = compared["push_everything"], compared["exact_similarity"]
    lines = [
        f"this run: {run['payload']:,} B payload, {run['wire']:,} B on the wire",
        f"pushing every snapshot to every neighbor: {_other(push)} the run's",
        f"discovery by dense weights: {_other(exact)} the masks'",
    ]
    if discovery["masks"]:
        lines.append(
            f"discovery: a dense model is {discovery['payload_ratio']:,.0f} mask payloads "
            f"({discovery['dense_payload']:,} / {discovery['mean_mask_payload']:,.1f} B), on the "
            f"wire {discovery['wire_ratio']:,.0f} masks "
            f"({discovery['dense_wire']:,} / {discovery['mean_mask_wire']:,.1f} B)"
        )
    return lines


def _other(sent: dict[str, Any]) -> str:
    times = [sent["times_payload"], sent["times_wire"]]
    shown = [f"{t:,.1f}" if t is not None else "-" for t in times]
    return (
        f"{sent['payload']:,} B payload, {sent['wire']:,} B on the wire; "
        f"{shown[0]} and {shown[1]} times"
    )


def _wire_line(ledger: Ledger) -> str:
    sources = sorted({row.source for row in ledger.rows})
    within, between = ledger.mtus
    mtus = _mtus(within or {ethernet.LOOPBACK_MTU})
    if ledger.hosts:
        mtus += f" within hosts, of {_mtus(between or {ethernet.MTU})} between them"
    return f"wire: {', '.join(sources) or 'nothing'}; counted at an MTU of {mtus}"


def _mtus(found: Iterable[int]) -> str:
    loopback = {ethernet.LOOPBACK_MTU: " (plain loopback)"}
    return ", ".join(f"{mtu}{loopback.get(mtu, '')}" for mtu in sorted(found))
