"""How much of a peer's time the spans in its journal name."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from launching import journal

from prisam_p2p.peer.spans import UNNAMED


def named_shares(run: Path) -> dict[str, float]:
    """Return peer -> share of the time between its first and last record in a span with a name.

    Spans that overlap, or between which there is a gap, fail the test.
    """
    return {
        peer: _share(run, peer) for peer in json.loads((run / "plan.json").read_text())["peers"]
    }


def _share(run: Path, peer: str) -> float:
    lines = journal(run, peer)
    spans = [span for line in lines if line["record"] == "spans" for span in line["spans"]]
    assert all(before[2] == after[1] for before, after in pairwise(spans)), peer
    first_s, last_s = lines[0]["t_s"], lines[-1]["t_s"]
    named = (
        min(end, last_s) - max(begin, first_s)
        for phase, begin, end in spans
        if phase != UNNAMED and end > first_s
    )
    return sum(named) / (last_s - first_s)
