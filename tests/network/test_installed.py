"""The package as users install it: a wheel of the sdist, in a venv outside the checkout."""

from __future__ import annotations

import json
import shlex
import zipfile

import pytest
from installing import DEADLINE_S, EMPTY_VENV, ROOT, run

pytestmark = [pytest.mark.network, pytest.mark.timeout(DEADLINE_S + 60)]


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def prisam(installed, tmp_path):
    """Return what runs the installed program in an empty folder."""
    return lambda *words: run([installed / "prisam", *words], tmp_path)


def test_a_wheel_of_the_sdist_is_the_wheel_of_the_checkout(wheels):
    one, two = map(contents, wheels)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name] and not name.endswith("RECORD")] == []


def test_the_wheel_has_every_module_and_every_shipped_file(wheels):
    sources = [*(ROOT / "prisam_p2p").rglob("*.py"), ROOT / "prisam_p2p" / "py.typed"]
    wanted = {path.relative_to(ROOT).as_posix() for path in sources}
    assets = (ROOT / "prisam_p2p" / "page" / "assets").rglob("*")
    wanted |= {path.relative_to(ROOT).as_posix() for path in assets if path.is_file()}
    for folder in ("topologies", "peers", "starter"):
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        wanted |= {f"prisam_p2p/shipped_files/{p.relative_to(ROOT).as_posix()}" for p in files}
    assert {name for name in contents(wheels[0]) if ".dist-info/" not in name} == wanted


@pytest.mark.skipif(not EMPTY_VENV, reason="the venv borrows its dependencies: make test-install")
def test_the_venv_has_all_that_the_wheel_asks_for_and_nothing_of_this_environment(
    installed, tmp_path
):
    run([installed / "python", "-m", "pip", "check"], tmp_path)
    origins = "import torch, zmq, duckdb; print(torch.__file__, zmq.__file__, duckdb.__file__)"
    for path in run([installed / "python", "-c", origins], tmp_path).split():
        assert path.startswith(str(installed.parent))


def test_it_runs_outside_the_checkout(installed, prisam, tmp_path):
    where = "import prisam_p2p; print(prisam_p2p.__file__)"
    assert run([installed / "python", "-c", where], tmp_path).startswith(str(installed.parent))
    listed = json.loads(prisam("list", "--format", "json"))
    names = {path.stem for path in (ROOT / "topologies").glob("*.toml")}
    assert {item["name"] for item in listed["topologies"]} == names
    for item in listed["topologies"] + listed["profiles"] + listed["experiments"]:
        assert item["path"].startswith(str(installed.parent)), item

    ring = ("launch", "ring-8", "--rounds", "1", "--baseline", "none", "--format", "json")
    ran = json.loads(prisam(*ring))
    assert ran["status"] == "completed"
    assert (tmp_path / ran["run_dir"]).parent == tmp_path / "runs"
    assert "report.html (1." in prisam("report")
    again = json.loads(prisam("summary", "--format", "json"))
    assert again["run_dir"] == ran["run_dir"]
    module = [installed / "python", "-m", "prisam_p2p", "list", "runs"]
    assert "completed, 1 of 1 rounds" in run(module, tmp_path)


def test_the_project_that_init_writes_runs_as_its_readme_says(installed, prisam, tmp_path):
    prisam("init", "mine")
    (block,) = (tmp_path / "mine" / "README.md").read_text().split("```sh\n")[1:]
    commands = block.split("```")[0].splitlines()
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        run([installed / words[0], *words[1:]], tmp_path / "mine")


def test_python_launches_and_reads_a_run(installed, tmp_path):
    program = (
        "import prisam_p2p as pp; run = pp.launch('ring-8', rounds=1, run_dir='run'); "
        "print(run.summary.status, len(run.peers), run.bytes.rows[2]['wire'] > 0)"
    )
    assert run([installed / "python", "-c", program], tmp_path) == "completed 8 True\n"


def test_names_in_files_of_the_package_lead_to_others_of_them(prisam):
    cells = json.loads(prisam("experiment", "smoke", "--dry-run", "--format", "json"))["cells"]
    assert len(cells) == 2
    planned = json.loads(prisam("plan", "clusters-12", "--faults", "churn-30", "--format", "json"))
    assert planned["scenario"] == "churn-30"
