"""`prisam init`: what it writes is right, and it overwrites nothing. test_installed.py runs it."""

import pytest
from launching import asked, refused

from prisam_p2p.faults.scenario.scenario import load_scenario
from prisam_p2p.new_project import write_project
from prisam_p2p.plan.named_files import FAULT_FILES, TOPOLOGY_FILES
from prisam_p2p.plan.topology import load_topology, resolve_settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return the folder of a new project, which is the current one."""
    folder = tmp_path / "mine"
    code, out = asked("init", folder)
    assert (code, f"wrote {folder}/README.md\n" in out) == (0, True)
    monkeypatch.chdir(folder)
    return folder


def test_its_files_are_valid_and_found_by_name(project):
    topology = load_topology(TOPOLOGY_FILES.find("my-network", "TOPOLOGY"))
    assert {profile.name for profile in topology.profiles.values()} == {"my-device", "laptop"}
    resolve_settings(topology, {})
    assert load_scenario(FAULT_FILES.find("my-faults", "--faults")).name == "my-faults"


def test_its_readme_names_every_file(project):
    text = (project / "README.md").read_text()
    files = {p.relative_to(project).as_posix() for p in project.rglob("*") if p.is_file()}
    assert len(files) == 8
    for name in files - {"README.md"}:
        assert f"`{name}`" in text


def test_nothing_is_overwritten(project):
    (project / "my_algorithm.py").write_text("mine")
    (project / "README.md").unlink()
    assert "without a my_algorithm.py" in refused("init", project)
    assert (project / "my_algorithm.py").read_text() == "mine"
    assert not (project / "README.md").exists()


def test_a_folder_with_other_files_is_taken(tmp_path):
    (tmp_path / "notes").write_text("mine")
    assert len(write_project(tmp_path)) == 8


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "notes").write_text("mine")
    assert "expected a folder" in refused("init", tmp_path / "notes")
