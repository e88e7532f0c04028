"""Writes a run's trace."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from prisam_p2p.measure.files import written_beside
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.trace.run_trace import RunTrace


def write_trace(run: RunFolder, path: Path, redact: bool = False) -> tuple[int, list[str]]:
    """Write the trace of a run; compressed where the path ends with .gz.

    Args:
        redact: leave out paths, and names of hosts and users.

    Returns:
        The number of events, and sentences about what the trace lacks.

    Raises:
        ConfigError: this is no run folder.
        OSError: the file cannot be written; it names the path.
    """
    (data,) = page_data_of(run, redact)["runs"]
    events = list(RunTrace(data).events())
    with written_beside(path) as beside:
        beside.write_bytes(_encoded(events, data["facts"], compress=path.suffix == ".gz"))
    return len(events), [str(each) for each in data["facts"]["missing"]]


def _encoded(events: list[dict[str, Any]], facts: dict[str, Any], compress: bool) -> bytes:
    about = {key: facts[key] for key in ("name", "headline", "algorithm", "prisam_version")}
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    text = (
        f'{{"displayTimeUnit":"ms","otherData":{json.dumps(about)},"traceEvents":[\n{lines}\n]}}\n'
    )
    return gzip.compress(text.encode(), mtime=0) if compress else text.encode()
