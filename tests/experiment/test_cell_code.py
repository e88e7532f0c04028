"""An experiment's folder from a stranger: a resume of its cells runs no code but the cell's."""

import json
import sys
import time

import pytest
from launching import SMALL, asked, refused, topology

from prisam_p2p.experiment.cell_folder import CellFolder, CellState
from prisam_p2p.experiment.cells import cells_of
from prisam_p2p.experiment.grid_file import load_grid
from prisam_p2p.experiment.resolved_cell import resolve
from prisam_p2p.extensions.record import sha256_of
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.user_code import Naming, copy_code, load_code, records_of, settings_of_code

MINE = """
def halves(labels, peers, rng):
    return {peer: range(i, len(labels), len(peers)) for i, peer in enumerate(peers)}
"""
EVIL = "from pathlib import Path\nPath(MARKER).touch()\n" + MINE
GRID = 'description = "for a test"\ntopology = "./net.toml"\n[axes]\nsplit = ["{code}"]\n'


@pytest.fixture
def touched(tmp_path):
    """The file that is there once the stranger's code ran."""
    return tmp_path / "touched"


@pytest.fixture
def evil(tmp_path, touched):
    path = tmp_path / "theirs" / "mine.py"
    path.parent.mkdir()
    path.write_text(EVIL.replace("MARKER", repr(str(touched))))
    return path


@pytest.fixture
def grid(tmp_path):
    """An experiment of one cell, whose split is the user's own code."""
    code = tmp_path / "mine.py"
    code.write_text(MINE)
    topology(tmp_path, SMALL.replace("groups = 2\n", ""))
    path = tmp_path / "grid.toml"
    path.write_text(GRID.format(code=f"{code}:halves"))
    return path


@pytest.fixture
def cell(grid):
    (only,) = cells_of(load_grid(grid), {}, {})
    return resolve(only)


@pytest.fixture
def folder(tmp_path, cell):
    """A folder with an interrupted run of the cell, as a launch leaves it."""
    its = CellFolder(tmp_path / "out" / "cells" / cell.cell.name)
    its.begin(cell)
    run = its.run.path
    for name in ("journal", "state"):
        (run / name).mkdir(parents=True)
    code = load_code(cell.settings, Naming({}))
    prepared = prepare(cell.topology, settings_of_code(cell.settings, code), code)
    prepared.images.close()
    copy_code(records_of(code), run)
    (run / "plan.json").write_text(prepared.plan.model_dump_json())
    started = {"record": "run_started", "t_s": 0.0, "wall_s": time.time()}
    (run / "journal" / "launcher.jsonl").write_text(json.dumps(started) + "\n")
    return its


def rewritten(folder, change):
    """Change the plan.json of the interrupted run."""
    path = folder.run.path / "plan.json"
    plan = json.loads(path.read_text())
    change(plan, plan["code"]["split"])
    path.write_text(json.dumps(plan))


def another_file(folder, evil):
    """It names the stranger's file, in place of the user's."""

    def change(plan, record):
        reference = f"{evil}:halves"
        plan["settings"]["split"] = reference
        record |= {"reference": reference, "file": str(evil), "sha256": sha256_of(evil)}

    rewritten(folder, change)


def another_file_under_its_name(folder, evil):
    """It names the user's reference, and records that this is the stranger's file."""
    rewritten(folder, lambda _, code: code.update(file=str(evil), sha256=sha256_of(evil)))


def a_module(folder, evil):
    """It names a module that lies in the working directory of whoever resumes."""

    def change(plan, record):
        plan["settings"]["split"] = "mine:halves"
        record |= {"reference": "mine:halves", "origin": "module", "file": str(evil)}
        record["sha256"] = sha256_of(evil)

    rewritten(folder, change)


def a_baseline(folder, evil):
    """It also names a baseline, which the cell does not have."""

    def change(plan, record):
        reference = f"{evil}:halves"
        plan["settings"]["baseline"] = reference
        mine = {"reference": reference, "file": str(evil), "sha256": sha256_of(evil)}
        plan["code"]["baseline"] = record | mine

    rewritten(folder, change)


def no_name_but_code(folder, evil):
    """It names a built-in split, but records code for it."""
    rewritten(folder, lambda plan, _: plan["settings"].update(split="iid"))


PLANS = [another_file, another_file_under_its_name, a_module, a_baseline]


@pytest.mark.parametrize("change", [*PLANS, no_name_but_code])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_interrupted_run_that_names_other_code_is_refused(
    grid, folder, evil, touched, monkeypatch, change, more
):
    monkeypatch.syspath_prepend(evil.parent)
    change(folder, evil)
    out = refused("experiment", grid, "--out", folder.path.parents[1], "--trust-code", *more)
    assert str(folder.run.path / "plan.json") in out
    assert "expected the code of this cell, " in out
    assert not touched.exists()
    assert folder.run.path.exists()  # left as it is, to be looked at


def test_so_is_one_whose_copy_is_other_code(grid, folder, evil, touched):
    """Peers with --start spawn run the copy."""
    copy = folder.run.path / "code" / "split" / "mine.py"
    copy.write_text(evil.read_text())
    out = refused("experiment", grid, "--out", folder.path.parents[1], "--trust-code")
    assert f"code.split = '{copy}, sha256 {sha256_of(copy)[:12]}'" in out
    assert not touched.exists()


def test_the_cell_s_own_interrupted_run_is_resumed(cell, folder):
    assert folder.state(cell) is CellState.CUT_OFF
    (folder.run.path / "code" / "split" / "mine.py").unlink()
    assert folder.state(cell) is CellState.CUT_OFF  # the file itself is there


def test_a_run_of_the_user_s_file_as_it_was_is_begun_anew(cell, folder):
    code = folder.path.parents[2] / "mine.py"
    code.write_text(MINE + "# changed\n")
    assert folder.state(resolve(cell.cell)) is CellState.TO_DO


@pytest.mark.parametrize("change", [another_file, another_file_under_its_name, a_module])
def test_a_resume_with_trust_would_have_run_it(folder, evil, touched, monkeypatch, change):
    """The control: a plan that is refused anyway would prove nothing."""
    monkeypatch.syspath_prepend(evil.parent)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    change(folder, evil)
    asked("resume", folder.run.path, "--trust-code")
    assert touched.exists()


def test_a_resume_whose_peers_would_run_the_copy_refuses_a_changed_one(folder, evil, touched):
    rewritten(folder, lambda plan, _: plan["settings"].update(start="spawn"))
    copy = folder.run.path / "code" / "split" / "mine.py"
    copy.write_text(evil.read_text())
    out = refused("resume", folder.run.path, "--trust-code")
    assert f"code.split = '{copy}': expected a copy of " in out
    assert "peers run with --start spawn" in out
    assert not touched.exists()
