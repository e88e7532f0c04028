"""Children of the program import what it can, and nothing from the directory that it runs in."""

import os
import subprocess
import sys
from pathlib import Path

from prisam_p2p.shipped import CHILD_PYTHON, child_environment

PACKAGE = Path(__file__).parents[1] / "prisam_p2p"
PROGRAM = "import json, prisam_p2p; print(json.__file__, prisam_p2p.__file__)"


def said(command, folder):
    environment = child_environment()
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()


def test_a_file_with_the_name_of_a_library_is_not_imported(tmp_path):
    own = tmp_path / "json.py"
    own.write_text("")
    assert Path(said([sys.executable, "-c", PROGRAM], tmp_path)[0]) == own  # what -P prevents
    library, ours = said([*CHILD_PYTHON, "-c", PROGRAM], tmp_path)
    assert Path(library) != own
    assert Path(ours) == PACKAGE / "__init__.py"


def test_a_child_imports_what_this_process_can(tmp_path, monkeypatch):
    (tmp_path / "of_a_script.py").write_text("NAME = 'mine'")
    monkeypatch.syspath_prepend(tmp_path)
    program = "import of_a_script; print(of_a_script.NAME)"
    assert said([*CHILD_PYTHON, "-c", program], "/") == ["mine"]


def test_the_working_directory_is_passed_on_where_this_process_imports_from_it(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/elsewhere"])
    path = child_environment()["PYTHONPATH"].split(os.pathsep)
    assert path == [str(tmp_path), "/elsewhere", str(PACKAGE.parent)]


def test_no_other_module_names_the_interpreter():
    naming = {p.name for p in PACKAGE.rglob("*.py") if "sys.executable" in p.read_text()}
    assert naming == {"shipped.py", "ray_actor.py"}  # that runs where ours may not be installed
