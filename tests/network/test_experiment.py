"""The smoke experiment, interrupted and taken up again: groups are found, PRISAM gains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from launching import DEADLINE_S, ROOT, alive, family, journal, prisam, wait_for

pytestmark = pytest.mark.network

SMOKE = ROOT / "topologies" / "experiments" / "two-core" / "smoke.toml"
PRISAM = "from prisam_p2p.cli import main; main()"
CELLS = ("seed-0_prisam", "seed-0_local")


def test_smoke_goes_on_after_an_interrupt(tmp_path):
    out = tmp_path / "out"
    first, second = (out / "cells" / name for name in CELLS)
    with subprocess.Popen(
        [sys.executable, "-c", PRISAM, "experiment", str(SMOKE), "--out", str(out), "--jobs", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        wait_for("training in the second cell", lambda: bool(journal(second / "run", "p00")))
        processes = family(process.pid)
        assert len(processes) > 2
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
    wait_for("end of all processes", lambda: not alive(processes))
    assert not (out / "results.md").exists()
    done_at = (first / "cell.json").stat().st_mtime_ns

    code, text = prisam("experiment", SMOKE, "--out", out)
    assert code == 0, text
    assert (first / "cell.json").stat().st_mtime_ns == done_at, "a cell that was done ran again"
    assert json.loads((second / "cell.json").read_text())["ending"]["exit_code"] == 0
    of_prisam, of_local = (_values(path) for path in (first, second))
    assert of_prisam["ari"] >= 0.9
    assert of_prisam["accuracy_deployed"] >= of_local["accuracy_deployed"]
    assert of_local["sent_mib"] == 0
    assert "| PRISAM |" in (out / "tables" / "accuracy.md").read_text()
    for name in ("accuracy.csv", "accuracy.parquet", "cells.csv", "rounds.parquet"):
        assert (out / "tables" / name).stat().st_size > 0
    for name in ("accuracy-over-rounds", "masks"):
        assert {(out / "figures" / f"{name}{e}").exists() for e in (".png", ".pdf")} == {True}


def _values(cell):
    return json.loads((cell / "measures.json").read_text())["values"]
