"""Input that is refused, tuning, and tables of finished cells; no run is started."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hand_cells import ENDING, RING

from prisam_p2p.cli import main
from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.catalog import CATALOG
from prisam_p2p.experiment.cell_folder import CellFolder
from prisam_p2p.experiment.cells import cells_of, is_tuned, key_of, searches_of, trial_of
from prisam_p2p.experiment.grid_file import load_grid
from prisam_p2p.experiment.measures import SCHEMA
from prisam_p2p.experiment.progress import observer
from prisam_p2p.experiment.resolved_cell import resolve
from prisam_p2p.experiment.run_experiment import (
    ExperimentRequest,
    forecast,
    run_experiment,
    tabulate,
)
from prisam_p2p.shipped import TOPOLOGIES

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
    """Write the folder of a cell with a finished run."""
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


def test_a_pattern_that_matches_no_cell_is_refused(tmp_path):
    smoke = TOPOLOGIES / "experiments" / "two-core" / "smoke.toml"
    arguments = ["experiment", str(smoke), "--out", str(tmp_path / "out"), "--only", "prisam"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "a pattern that matches a cell's name, such as seed-0_prisam" in result.output


def test_tables_of_an_empty_folder_are_refused(tmp_path):
    smoke = TOPOLOGIES / "experiments" / "two-core" / "smoke.toml"
    arguments = ["experiment", str(smoke), "--out", str(tmp_path / "out"), "--tables-only"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "a folder in which this experiment has run" in result.output
    assert not (tmp_path / "out").exists()


def made_by_other_code(folder):
    """Note another digest in the folder of a cell."""
    path = folder / "cell.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code_digests": ["0" * 12]}))


def test_rerun_stale_counts_only_finished_cells_of_this_code(tmp_path):
    (tmp_path / "grid.toml").write_text(
        GRID.replace("[tune.candidates]\nlearning_rate = [0.1, 0.2]", "")
    )
    grid, out = load_grid(tmp_path / "grid.toml"), tmp_path / "out"
    for one in cells_of(grid, {}, {}):
        done(one, out / "cells", 0.5)
    made_by_other_code(out / "cells" / "seed-0_local")

    def runs(**more):
        found = forecast(grid, ExperimentRequest(out, {}, **more)).runs
        return {run.name: (run.done, run.stale) for run in found}

    kept, old = "seed-0_prisam", "seed-0_local"
    assert runs() == {kept: (True, False), old: (True, True)}
    assert runs(rerun_stale=True) == {kept: (True, False), old: (False, True)}
    assert tabulate(grid, ExperimentRequest(out, {})).written.stale == [old]
    assert "--rerun-stale" in (out / "results.md").read_text()


def test_a_dry_run_without_the_data_says_times_and_how_to_get_them(tmp_path):
    text = GRID.replace(f'topology = "{RING}"', f'topology = "{RING}"\n[run]\ndataset = "svhn"')
    (tmp_path / "grid.toml").write_text(text)
    arguments = ["experiment", str(tmp_path / "grid.toml"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "tuning: at least 8 and at most 8 runs to do, about " in result.output
    assert "cells: 2 of 2 to do, about " in result.output
    assert "the data of svhn were not looked at" in result.output
    assert "--data-dir DIR --download" in result.output
    result = CliRunner().invoke(main, [*arguments, "--dry-run", "--data-dir", str(tmp_path / "no")])
    assert result.exit_code == 2  # where they are said to be, they must be
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_a_dry_run_goes_on_from_the_finished_tuning_runs(tmp_path):
    """A cell of a choice that may no longer hold does not end it."""
    one_method = GRID[: GRID.index("[[axes.method]]")]
    one_method = one_method.replace("[tune.cand", "[tune]\nseeds = 2\n[tune.cand")
    (tmp_path / "grid.toml").write_text(one_method)
    grid, out = load_grid(tmp_path / "grid.toml"), tmp_path / "out"
    (search,) = searches_of(grid, cells_of(grid, {}, {}))
    for rate, seed in ((0.1, 1000), (0.2, 1000), (0.2, 1001)):
        done(trial_of(grid, {}, search, (rate,), seed), out / "tuning", rate)
    (cell,) = cells_of(grid, {}, {frozenset(): {"learning_rate": 0.2}})
    done(cell, out / "cells", 0.5)
    assert forecast(grid, ExperimentRequest(out, {})).trials.most == 0

    (tmp_path / "grid.toml").write_text(
        one_method.replace("[axes]", "[tune.bounds]\nlearning_rate = [0.1, 0.4]\n[axes]")
    )
    wider = forecast(load_grid(tmp_path / "grid.toml"), ExperimentRequest(out, {}))
    assert [run.name for run in wider.tuning if not run.done] == ["learning-rate-0.4"]
    assert (wider.trials.least, wider.trials.most) == (1, 2)
    assert [run.done for run in wider.runs] == [False]


def test_rerun_stale_is_refused_where_nothing_is_run(tmp_path):
    result = CliRunner().invoke(main, ["experiment", "smoke", "--tables-only", "--rerun-stale"])
    assert result.exit_code == 2
    assert "no --tables-only" in result.output


def test_a_cell_is_tuned_only_if_a_trial_for_it_succeeded(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    grid = load_grid(tmp_path / "grid.toml")
    prisam, local = cells_of(grid, {}, {})
    tuned = {key_of({"method": "PRISAM"}): {"learning_rate": 0.2}}
    assert is_tuned(grid, prisam, tuned)
    assert not is_tuned(grid, local, tuned)
    assert is_tuned(replace(grid, tune=None), local, {})


def test_data_that_cannot_be_split_are_refused_before_any_run(tmp_path):
    other = """
[[axes.method]]
label = "too many groups"
algorithm = "local"
groups = 9
"""
    (tmp_path / "grid.toml").write_text(GRID + other)
    grid, out = load_grid(tmp_path / "grid.toml"), tmp_path / "out"
    message = (
        r"cell too-many-groups_learning-rate-0.1: --groups = 9: expected at most 8, the number"
    )
    with pytest.raises(ConfigError, match=message):
        run_experiment(grid, ExperimentRequest(out, {}), observer())
    assert not out.exists()


def test_tables_after_a_run_of_some_cells_cover_all_finished_cells(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    grid, out = load_grid(tmp_path / "grid.toml"), tmp_path / "out"
    searches = searches_of(grid, cells_of(grid, {}, {}))
    for search in searches:
        for rate, seed in ((0.1, 1000), (0.2, 1000), (0.2, 1001), (0.2, 1002)):
            done(trial_of(grid, {}, search, (rate,), seed), out / "tuning", rate)
    best = {key_of(search.labels): {"learning_rate": 0.2} for search in searches}
    for one in cells_of(grid, {}, best):
        more = {"left_out": 3, "verdict": "not judged", "exit_code": 5}
        done(one, out / "cells", 0.5, **(more if one.labels["method"] == "local" else {}))

    finished = run_experiment(grid, ExperimentRequest(out, {}, only="*_local"), observer())
    assert (finished.cells, finished.outcome.failed) == (1, {})
    assert "2 of 2 cells" in (out / "results.md").read_text()
    (out / "results.md").unlink()
    assert tabulate(grid, ExperimentRequest(out, {})).written == finished.written
    results = (out / "results.md").read_text()
    assert "2 of 2 cells" in results
    assert results.count("left out between peers that no fault hit") == 1
    assert (
        "3 masks, pulls or rounds left out between peers that no fault hit: seed-0_local" in results
    )
    assert "Checks, by cells: no poison (true in 1, not judged in 1)." in results
    undecided = [line for line in results.splitlines() if "(exit code 5)" in line]
    assert [line.rpartition(": ")[2][:12] for line in undecided] == ["seed-0_local"]
    chosen = json.loads((out / "tuning.json").read_text())
    assert [entry["labels"]["method"] for entry in chosen] == ["PRISAM", "local"]
