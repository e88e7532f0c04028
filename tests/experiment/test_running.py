"""What is done, what may run at once, how long it takes, and what tuning chooses."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main
from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.admission import Need, Pending, left_s, may_start
from prisam_p2p.experiment.catalog import CATALOG
from prisam_p2p.experiment.cells import Cell, Trial, cells_of, is_tuned, key_of, trials_of
from prisam_p2p.experiment.child import launch_arguments
from prisam_p2p.experiment.estimate import START_S, wall_s
from prisam_p2p.experiment.experiment_file import Wish, run_experiment, tabulate
from prisam_p2p.experiment.grid import load_grid
from prisam_p2p.experiment.identity import difference, resolve
from prisam_p2p.experiment.measures import SCHEMA
from prisam_p2p.experiment.progress import observer
from prisam_p2p.experiment.store import CellFolder, Ending, State, locked
from prisam_p2p.experiment.tuning import Tried, choose, record
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.settings import RunSettings
from prisam_p2p.shipped import TOPOLOGIES

ENDING = Ending("kind", 0, 3.5, 100.0)
RING = TOPOLOGIES / "ring-8.toml"


def cell(**settings):
    return Cell("cell", {"seed": 0}, RING, None, {"rounds": 2, **settings})


@pytest.fixture
def finished(tmp_path):
    """A folder with a whole run of `cell()`."""
    folder = CellFolder(tmp_path / "cell")
    folder.begin(resolve(cell()))
    for name in ("state", "models", "journal"):
        (folder.path / "run" / name).mkdir(parents=True)
    (folder.path / "run" / "summary.json").write_text('{"status": "completed"}')
    folder.end(resolve(cell()), ENDING, keep_models=False)
    return folder


def test_a_cell_is_done_when_its_run_is_whole(finished):
    assert finished.state(resolve(cell())) is State.DONE
    assert finished.ending() == ENDING


def test_where_its_data_lie_makes_no_other_cell(finished, tmp_path):
    assert finished.state(resolve(cell(data_dir=str(tmp_path)))) is State.DONE


def test_models_are_kept_on_demand_alone(finished):
    assert {path.name for path in (finished.path / "run").iterdir()} == {"journal", "summary.json"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cell.json", None),
        ("cell.json", '{"half'),
        ("run/summary.json", None),
        ("run/summary.json", '{"status": "interrupted"}'),
    ],
)
def test_a_broken_run_is_to_do_again(finished, file, text):
    path = finished.path / file
    path.unlink() if text is None else path.write_text(text)
    assert finished.state(resolve(cell())) is State.TO_DO


def test_a_run_that_was_cut_off_is_known_by_what_decides_it(tmp_path):
    folder, wanted = CellFolder(tmp_path / "cell"), resolve(cell())
    folder.begin(wanted)
    assert (folder.state(wanted), folder.ending()) == (State.TO_DO, None)  # nothing to go on with
    (folder.path / "run").mkdir()
    (folder.path / "run" / "plan.json").touch()
    assert folder.state(wanted) is State.CUT_OFF
    assert folder.state(resolve(cell(learning_rate=0.1))) is State.TO_DO
    summary = {"status": "completed", "closure": {"failures": []}, "checks": [], "faults": []}
    (folder.path / "run" / "summary.json").write_text(json.dumps(summary))
    assert folder.state(wanted) is State.DONE  # its launcher outlived who started it
    summary["checks"] = [{"check": "no poison", "verdict": "false", "why": ".."}]
    (folder.path / "run" / "summary.json").write_text(json.dumps(summary))
    assert folder.state(wanted) is State.TO_DO
    folder.begin(wanted)
    assert not (folder.path / "run").exists()


def test_a_run_that_broke_a_rule_is_to_do_again(finished):
    finished.end(resolve(cell()), Ending("kind", 4, 1.0, None), keep_models=False)
    assert finished.state(resolve(cell())) is State.TO_DO


def test_a_whole_run_of_something_else_is_not_overwritten(finished):
    with pytest.raises(ConfigError, match=r"learning_rate was 0.05, now 0.1\): give another --out"):
        finished.state(resolve(cell(learning_rate=0.1)))


def test_identity_holds_devices_and_links():
    was, now = resolve(cell()).identity, resolve(cell())
    star = resolve(Cell("cell", {}, TOPOLOGIES / "star-9.toml", None, now.cell.settings))
    assert difference(was, now.identity) is None
    assert difference(json.loads(json.dumps(was)), now.identity) is None
    other = {**was, "links": star.identity["links"]}
    assert difference(other, now.identity) == "its links have changed"


def test_a_setting_that_was_not_there_yet_counts_as_its_default():
    now = resolve(cell()).identity
    older = {key: v for key, v in now["settings"].items() if key != "gamma_l1"}
    assert difference({**now, "settings": older}, now) is None
    later = {**now, "settings": {**now["settings"], "gamma_l1": 0.1}}
    assert difference({**now, "settings": older}, later) == "gamma_l1 was 0.0, now 0.1"


def test_a_pattern_that_fits_no_cell_is_refused(tmp_path):
    smoke = TOPOLOGIES / "experiments" / "two-core" / "smoke.toml"
    arguments = ["experiment", str(smoke), "--out", str(tmp_path / "out"), "--only", "prisam"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "a pattern that fits a cell's name, such as seed-0_prisam" in result.output


def test_tables_of_nothing_are_refused(tmp_path):
    smoke = TOPOLOGIES / "experiments" / "two-core" / "smoke.toml"
    arguments = ["experiment", str(smoke), "--out", str(tmp_path / "out"), "--tables-only"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "a folder in which this experiment has run" in result.output
    assert not (tmp_path / "out").exists()


def test_a_folder_is_held_by_one(tmp_path):
    with (
        locked(tmp_path / "out"),
        pytest.raises(ConfigError, match="no other prisam experiment"),
        locked(tmp_path / "out"),
    ):
        pass
    with locked(tmp_path / "out"):
        pass


def test_a_cell_is_a_command_line(tmp_path):
    arguments = launch_arguments(cell(turns=False, bn_recalibration=True), tmp_path)
    assert arguments == [
        *("launch", str(RING), "--rounds", "2", "--no-turns", "--bn-recalibration"),
        *("--baseline", "none", "--run-dir", str(tmp_path)),
    ]


# --- how many at once ---

KNOWN = Need(cores=1.0, memory_mib=100.0)


@pytest.mark.parametrize(
    ("running", "new", "jobs", "may"),
    [
        ([], Need(50.0, None), None, True),  # one alone always may
        ([KNOWN], KNOWN, None, True),
        ([KNOWN], Need(2.0, 100.0), None, False),  # 3 of 2 cores
        ([KNOWN], Need(1.0, None), None, False),  # nobody knows its memory
        ([KNOWN], Need(2.0, None), 2, True),  # the user says so
        ([KNOWN, KNOWN], KNOWN, 2, False),
        ([KNOWN], Need(0.5, 750.0), None, False),  # 850 of 1000 MiB
        ([KNOWN], Need(0.5, 750.0), 9, False),
        ([KNOWN], Need(0.5, 700.0), None, True),
    ],
)
def test_what_may_start(running, new, jobs, may):
    assert may_start(running, new, cores=2, free_mib=1000.0, jobs=jobs) is may


def test_time_left_by_kind_and_by_pace():
    waiting = [Pending("a"), Pending("a"), Pending("b")]
    assert left_s(waiting, {"a": [10.0, 20.0], "b": [40.0]}, 1) == 70.0
    assert left_s(waiting, {"a": [10.0, 20.0], "b": [40.0]}, 2) == 40.0  # b takes that long alone
    assert left_s(waiting, {"a": [10.0]}, 1) == 30.0  # b as a
    assert left_s(waiting, {}, 1) is None
    assert left_s([Pending("a", elapsed_s=5.0, share=0.25), Pending("a")], {}, 1) == 35.0
    assert left_s([Pending("a", elapsed_s=50.0, share=0.9)], {"a": [10.0]}, 1) == 0.0


def test_estimate_by_hand():
    """2 peers, 5 steps an epoch, 3 + 2 passes of 100 ms each: 2.5 s of training a peer."""
    settings = RunSettings(
        rounds=2, warmup_epochs=3, epochs=2, images_per_peer=100, batch_size=16
    ).model_copy(update={"test_images_per_peer": 12})
    full = DeviceProfile(name="full", description="x", source="x")
    slow = full.model_copy(update={"speed": 0.1})
    looking_s = (4 * 32 / 16 * 0.35 + 2 * 5 * 0.35) * 0.1
    assert wall_s(settings, [full, full], 100.0, 2) == pytest.approx(START_S + 2.5 + looking_s)
    assert wall_s(settings, [full, slow], 100.0, 2) == pytest.approx(START_S + 25 + looking_s)


# --- tuning ---


def tried(method, rate, validation):
    one = Cell(f"{method}-{rate}", {}, RING, None, {})
    return Tried(Trial({"method": method}, {"learning_rate": rate}, one), validation)


def test_the_best_validation_accuracy_is_chosen_and_a_tie_goes_to_the_first():
    trials = [
        *(tried("a", 0.1, 0.5), tried("a", 0.2, 0.7), tried("a", 0.3, 0.7)),
        *(tried("b", 0.1, 0.9), tried("b", 0.2, None)),
        tried("c", 0.1, None),
    ]
    chosen = choose(trials)
    assert chosen == {
        key_of({"method": "a"}): {"learning_rate": 0.2},
        key_of({"method": "b"}): {"learning_rate": 0.1},
    }
    entries = record(trials, chosen)
    assert entries[0]["chosen"] == {"learning_rate": 0.2}
    assert entries[0]["candidates"][1] == {"learning_rate": 0.2, "validation": 0.7, "cell": "a-0.2"}
    assert entries[2]["chosen"] is None


HOST = {
    **dict.fromkeys(("system", "processor", "python"), "x"),
    **{"cores": 2, "memory_mib": 1, "versions": {}, "git_commit": None},
}
GRID = f"""
description = "for tests"
topology = "{RING}"
[tune.candidates]
learning_rate = [0.1, 0.2]
[axes]
seed = [0]
[[axes.method]]
label = "PRISAM"
[[axes.method]]
label = "local"
algorithm = "local"
"""


def done(one, folder, validation, left_out=0, verdict="true", exit_code=0):
    """Leave what a whole run of a cell leaves."""
    its = CellFolder(folder / one.name)
    (its.path / "run").mkdir(parents=True)
    check = {"check": "no poison", "verdict": verdict}
    summary = {"status": "completed", "checks": [check]}
    (its.path / "run" / "summary.json").write_text(json.dumps(summary))
    (its.path / "run" / "plan.json").write_text(json.dumps({"host": HOST}))
    values = dict.fromkeys(CATALOG) | {"validation_deployed": validation, "left_out": left_out}
    kept = {"schema": SCHEMA, "values": values, "rounds": {}}
    (its.path / "measures.json").write_text(json.dumps(kept))
    its.end(resolve(one), replace(ENDING, exit_code=exit_code), keep_models=True)


def test_nothing_runs_untuned_where_its_trials_failed(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    grid = load_grid(tmp_path / "grid.toml")
    prisam, local = cells_of(grid, {}, {})
    tuned = {key_of({"method": "PRISAM"}): {"learning_rate": 0.2}}
    assert is_tuned(grid, prisam, tuned)
    assert not is_tuned(grid, local, tuned)
    assert is_tuned(replace(grid, tune=None), local, {})


def test_data_that_cannot_be_dealt_is_found_before_anything_runs(tmp_path):
    other = """
[[axes.method]]
label = "too many groups"
algorithm = "local"
groups = 9
"""
    (tmp_path / "grid.toml").write_text(GRID + other)
    grid, out = load_grid(tmp_path / "grid.toml"), tmp_path / "out"
    words = r"cell too-many-groups_learning-rate-0.1: --groups = 9: expected at most 8, the number"
    with pytest.raises(ConfigError, match=words):
        run_experiment(grid, Wish(out, {}), observer())
    assert not out.exists()


def test_tables_of_some_cells_know_what_the_others_were_tuned_to(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    grid, out = load_grid(tmp_path / "grid.toml"), tmp_path / "out"
    trials = trials_of(grid, {}, cells_of(grid, {}, {}))
    for trial in trials:
        done(trial.cell, out / "tuning", trial.candidate["learning_rate"])
    best = {key_of(trial.labels): {"learning_rate": 0.2} for trial in trials}
    for one in cells_of(grid, {}, best):
        more = {"left_out": 3, "verdict": "not judged", "exit_code": 5}
        done(one, out / "cells", 0.5, **(more if one.labels["method"] == "local" else {}))

    finished = run_experiment(grid, Wish(out, {}, only="*_local"), observer())
    assert (finished.cells, finished.outcome.failed) == (1, {})
    assert "2 of 2 cells" in (out / "results.md").read_text()
    (out / "results.md").unlink()
    assert tabulate(grid, Wish(out, {})).written == finished.written
    results = (out / "results.md").read_text()
    assert "2 of 2 cells" in results
    assert results.count("left out between peers that no fault hit") == 1
    assert "3 masks and pulls left out between peers that no fault hit: seed-0_local" in results
    assert "Checks, by cells: no poison (true in 1, not judged in 1)." in results
    undecided = [line for line in results.splitlines() if "(exit code 5)" in line]
    assert [line.rpartition(": ")[2][:12] for line in undecided] == ["seed-0_local"]
    chosen = json.loads((out / "tuning.json").read_text())
    assert [entry["labels"]["method"] for entry in chosen] == ["PRISAM", "local"]
