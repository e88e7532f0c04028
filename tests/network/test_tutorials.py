"""Each tutorial works as it stands: its files are saved, its commands and scripts run, in order.

Scripts run in interpreters of their own; `prisam` commands are forks of one (warm_process.py).
"""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT, prisam

import prisam_p2p as pp

pytestmark = pytest.mark.network

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
A_STEP_TAKES_S = 120
BLOCK = re.compile(r"(?:Save this as `([\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```", re.DOTALL | re.M)


def follow(page):
    """Do all that a page says, in the current folder; return what was printed."""
    printed = []
    for name, language, text in BLOCK.findall(page.read_text()):
        if name:
            Path(name).write_text(text)
        elif language == "python":
            printed.append(printed_by_script(text))
        else:
            assert language == "sh", f"{page.name}: a test cannot follow a block of {language}"
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "prisam", line
                code, told = prisam(*arguments)
                assert code == 0, f"{line}\n{told[-4000:]}"
                printed.append(told)
    return "".join(printed)


def printed_by_script(text):
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=A_STEP_TAKES_S,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def own_model(printed):
    masks = [each.mask(round=1) for each in pp.load_run("runs/own").peers.values()]
    assert {mask.size for mask in masks} == {16 + 32}
    assert f"keeps {masks[3].sum()} of 48 channels" in printed
    assert masks[3].sum() < masks[0].sum()  # the weaker device, the fewer


def count_bytes(printed):
    run = pp.load_run("runs/bytes")
    assert run.summary.closure.connections > 0
    assert "connections, 0 bytes unexplained" in printed
    factor = int(re.search(r"pulling weights (\d+) times as many", printed)[1])
    assert factor > 10


def break_a_network(printed):
    assert "back#0 restart fired: True verified: True contained: True" in printed
    assert "gone#0 kill fired: True verified: True contained: True" in printed
    assert "lost: ['p05']" in printed
    assert "p01 did 2 rounds" in printed


def table_1(printed):
    (table,) = Path("results/small").rglob("accuracy.csv")
    rows = list(csv.DictReader(table.open()))
    assert {"local", "PRISAM"} <= {value for row in rows for value in row.values()}


OUTCOMES = {
    "own-model": own_model,
    "count-bytes": count_bytes,
    "break-a-network": break_a_network,
    "table-1": table_1,
}


def test_every_tutorial_has_an_outcome():
    assert {page.stem for page in TUTORIALS} == set(OUTCOMES)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_works_as_it_stands(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    OUTCOMES[page.stem](follow(page))
