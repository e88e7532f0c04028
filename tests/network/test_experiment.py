"""The smoke experiment, interrupted and taken up again: groups are found, PRISAM gains."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from launching import DEADLINE_S, ROOT, alive, family, journal, prisam, round_done, wait_for

from prisam_p2p.experiment.cell_folder import CellFolder
from prisam_p2p.experiment.cells import cells_of
from prisam_p2p.experiment.grid_file import load_grid
from prisam_p2p.experiment.resolved_cell import resolve

pytestmark = pytest.mark.network

SMOKE = ROOT / "topologies" / "experiments" / "two-core" / "smoke.toml"
PRISAM = "from prisam_p2p.cli import main; main()"
PEERS = [f"p{i:02d}" for i in range(8)]
ROUNDS = 24
"""Rounds enough for an interrupt after the first one to find the run still going."""


def test_smoke_goes_on_after_an_interrupt(tmp_path):
    out = tmp_path / "out"
    first, second = (out / "cells" / f"seed-0_{method}" for method in ("local", "prisam"))
    _cut_off_too_early(first)
    code, text = prisam("experiment", SMOKE, "--rounds", ROUNDS, "--out", out, "--only", "*_local")
    assert code == 0, text
    assert "seed-0_local: starts again: " in text
    done_at = (first / "cell.json").stat().st_mtime_ns

    arguments = ["experiment", SMOKE, "--rounds", ROUNDS, "--out", out, "--jobs", 1]
    (out / "results.md").unlink()
    with subprocess.Popen(
        [sys.executable, "-c", PRISAM, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        wait_for("the peers of the second cell", lambda: _all_ready(second / "run"))
        processes = family(process.pid)  # before round 0: it takes as long as some rounds
        assert len(processes) > len(PEERS)
        wait_for("round 0 of the second cell", round_done(second / "run", PEERS[:1], 0))
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
    wait_for("end of all processes", lambda: not alive(processes))
    assert not (out / "results.md").exists()
    trained = [line for line in journal(second / "run", "p00") if line["record"] == "trained"]

    code, text = prisam("experiment", SMOKE, "--rounds", ROUNDS, "--out", out)
    assert code == 0, text
    assert (first / "cell.json").stat().st_mtime_ns == done_at, "a cell that was done ran again"
    ending = json.loads((second / "cell.json").read_text())["ending"]
    assert (ending["exit_code"], ending["resumed"]) == (0, True)
    again = [line for line in journal(second / "run", "p00") if line["record"] == "trained"]
    assert again[: len(trained)] == trained, "a cell that was cut off began anew"
    assert "so that it sent more bytes: seed-0_prisam" in (out / "results.md").read_text()
    of_prisam, of_local = (_values(path) for path in (second, first))
    assert of_prisam["ari"] >= 0.9
    assert of_prisam["accuracy_deployed"] >= of_local["accuracy_deployed"]
    assert of_local["sent_mib"] == 0
    assert "| PRISAM |" in (out / "tables" / "accuracy.md").read_text()
    for name in ("accuracy.csv", "accuracy.parquet", "cells.csv", "rounds.parquet"):
        assert (out / "tables" / name).stat().st_size > 0
    for name in ("accuracy-over-rounds", "masks"):
        files = [out / "figures" / f"{name}{e}" for e in (".png", ".pdf", ".svg", ".csv")]
        assert [file.name for file in files if not file.exists()] == []
    _check_pages(out, text, second)
    _check_rerun(out, arguments, first, second)


def _check_rerun(out, arguments, old, kept):
    """Check that --rerun-stale runs the cell again that other code made, and no other."""
    record = json.loads((old / "cell.json").read_text())
    present = record["code_digests"]
    (old / "cell.json").write_text(json.dumps(record | {"code_digests": ["0" * 12]}))
    kept_at = (kept / "cell.json").stat().st_mtime_ns
    code, text = prisam(*arguments, "--rerun-stale")
    assert code == 0, text
    again = json.loads((old / "cell.json").read_text())
    assert (again["code_digests"], again["ending"]["exit_code"]) == (present, 0)
    assert (kept / "cell.json").stat().st_mtime_ns == kept_at
    assert "made by other code" not in (out / "results.md").read_text()


def _check_pages(out, told, cell):
    """Check that the page was written, and links to a report of each cell that was run."""
    assert f"as a page: {out / 'results.html'}" in told
    page = (out / "results.html").read_text()
    links = re.findall(r'<a href="(cells/[^"]*)"', page)
    assert links == [f"cells/{name}/run/report.html" for name in ("seed-0_local", "seed-0_prisam")]
    assert all((out / link).stat().st_size > 1_000_000 for link in links)
    assert f"<title>{cell.name}</title>" in (out / links[1]).read_text()[:5000]
    written_at = [(out / link).stat().st_mtime_ns for link in links]
    (out / links[0]).unlink()
    assert prisam("report", out)[0] == 0
    assert (out / links[0]).exists()
    assert (out / links[1]).stat().st_mtime_ns == written_at[1]  # it is as new as its run


def _all_ready(run):
    return any(line["record"] == "all_ready" for line in journal(run, "launcher"))


def _cut_off_too_early(folder):
    """Leave what an experiment leaves that was killed while its first cell came up."""
    cell = next(
        cell
        for cell in cells_of(load_grid(SMOKE), {"rounds": ROUNDS}, {})
        if cell.name == folder.name
    )
    CellFolder(folder).begin(resolve(cell))
    (folder / "run").mkdir()
    (folder / "run" / "plan.json").write_text("{}")


def _values(cell):
    return json.loads((cell / "measures.json").read_text())["values"]
