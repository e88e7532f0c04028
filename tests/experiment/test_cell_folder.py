"""The folder of a cell: whether its run is done, interrupted or to do."""

import json

import pytest
from hand_cells import ENDING, cell

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.cell_folder import CellEnding, CellFolder, CellState, locked
from prisam_p2p.experiment.resolved_cell import resolve


@pytest.fixture
def finished(tmp_path):
    """A folder with a finished run of `cell()`."""
    folder = CellFolder(tmp_path / "cell")
    folder.begin(resolve(cell()))
    for name in ("state", "models", "journal"):
        (folder.path / "run" / name).mkdir(parents=True)
    (folder.path / "run" / "summary.json").write_text('{"status": "completed"}')
    folder.end(resolve(cell()), ENDING, keep_models=False)
    return folder


def test_a_cell_with_a_finished_run_is_done(finished):
    assert finished.state(resolve(cell())) is CellState.DONE
    assert finished.ending() == ENDING


def test_the_place_of_the_data_does_not_change_the_cell(finished, tmp_path):
    assert finished.state(resolve(cell(data_dir=str(tmp_path)))) is CellState.DONE


def test_models_are_removed_unless_they_are_to_be_kept(finished):
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
def test_an_incomplete_run_is_to_do_again(finished, file, text):
    path = finished.path / file
    path.unlink() if text is None else path.write_text(text)
    assert finished.state(resolve(cell())) is CellState.TO_DO


def test_an_interrupted_run_is_recognized_by_the_identity_of_its_cell(tmp_path):
    folder, wanted = CellFolder(tmp_path / "cell"), resolve(cell())
    folder.begin(wanted)
    assert (folder.state(wanted), folder.ending()) == (CellState.TO_DO, None)
    (folder.path / "run").mkdir()
    (folder.path / "run" / "plan.json").touch()
    assert folder.state(wanted) is CellState.CUT_OFF
    assert folder.state(resolve(cell(learning_rate=0.1))) is CellState.TO_DO
    summary = {"status": "completed", "closure": {"failures": []}, "checks": [], "faults": []}
    (folder.path / "run" / "summary.json").write_text(json.dumps(summary))
    assert folder.state(wanted) is CellState.DONE  # the launcher ended after the experiment
    summary["checks"] = [{"check": "no poison", "verdict": "false", "why": ".."}]
    (folder.path / "run" / "summary.json").write_text(json.dumps(summary))
    assert folder.state(wanted) is CellState.TO_DO
    folder.begin(wanted)
    assert not (folder.path / "run").exists()


def test_a_run_that_failed_a_check_is_to_do_again(finished):
    finished.end(resolve(cell()), CellEnding("kind", 4, 1.0, None), keep_models=False)
    assert finished.state(resolve(cell())) is CellState.TO_DO


def test_a_finished_run_of_another_cell_is_not_overwritten(finished):
    with pytest.raises(
        ConfigError, match=r"learning_rate was 0.05, now 0.1\); choose another --out"
    ):
        finished.state(resolve(cell(learning_rate=0.1)))


def test_a_folder_can_be_locked_once(tmp_path):
    with (
        locked(tmp_path / "out"),
        pytest.raises(ConfigError, match="no other prisam experiment"),
        locked(tmp_path / "out"),
    ):
        pass
    with locked(tmp_path / "out"):
        pass
