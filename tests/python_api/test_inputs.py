"""What is written for a run, and errors that name what was given."""

import pytest

import prisam_p2p as pp
from prisam_p2p.python_api.inputs import WrittenInputs

KILL = {"id": "gone", "kind": "kill", "peers": ["p01"], "at": {"round": 1, "phase": "train"}}


@pytest.fixture
def written(tmp_path):
    return WrittenInputs(tmp_path)


def test_names_and_paths_are_passed_on_and_nothing_is_written(written, tmp_path):
    assert written.topology(tmp_path / "net.toml") == str(tmp_path / "net.toml")
    assert written.faults("churn-30", "ring-8") == "churn-30"
    assert written.faults(None, "ring-8") is None
    assert written.setting("rounds", 3) == 3
    assert written.files == {}


def test_a_list_of_faults_is_a_file_of_the_run(written, tmp_path):
    path = written.faults([KILL], "ring-8")
    assert written.files == {"inputs/faults.toml": path}
    gone = pp.ConfigError(path, "fault[0].at", "x", "a round")
    assert str(written.renamed(gone)) == "faults: fault[0].at = 'x': expected a round"


def test_an_error_names_code_as_it_was_given(written, tmp_path):
    written.files["code/model/net.py"] = str(tmp_path / "code" / "model" / "net.py")
    for folder in (tmp_path, "/runs/mine"):
        error = pp.ConfigError("--model", "", f"{folder}/code/model/net.py:net", "BatchNorm")
        assert str(written.renamed(error)) == "--model = (net): expected BatchNorm"
    other = pp.ConfigError("--model", "", "./mine.py:net", "BatchNorm")
    assert str(written.renamed(other)) == str(other)
