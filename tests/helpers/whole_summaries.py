"""A run's summary from all lines of its journals, as `prisam summary` need not hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import summarize


def whole_summary(folder: Path) -> dict[str, Any]:
    """Return what summary.json is to hold."""
    run = RunFolder(folder)
    return dict(json.loads(json.dumps(summarize(run, make_ledger(run)))))
