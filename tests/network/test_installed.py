"""The package as users install it: a wheel of the sdist, in a venv outside the checkout."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from sysconfig import get_path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 240
NOT_SOURCES = (".*", "runs", "results", "build", "dist", "*.egg-info", "__pycache__")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"

pytestmark = pytest.mark.network


def run(command, cwd):
    """Run a command without this checkout on its path; return what it printed to stdout."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind, source, out):
    out.mkdir()
    run([sys.executable, "-c", BUILD.format(kind), out], source)
    (made,) = out.iterdir()
    return made


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Return a wheel built from the checkout, and one built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    with tarfile.open(build("sdist", source, folder / "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("prisam_p2p-*")
    return build("wheel", source, folder / "one"), build("wheel", unpacked, folder / "two")


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    """Return a venv's folder of programs: the wheel is in it, dependencies are this test's."""
    venv = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", "--without-pip", venv], venv)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheels[1]], venv)
    (packages,) = venv.glob("lib/python*/site-packages")
    # A line of a .pth file adds a folder, but not what that folder's own .pth files add: so the
    # editable install of this checkout stays hidden.
    (packages / "dependencies.pth").write_text(f"{get_path('purelib')}\n{get_path('platlib')}\n")
    return venv / "bin"


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
    for folder in ("topologies", "peers", "starter"):
        files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        wanted |= {f"prisam_p2p/shipped_files/{p.relative_to(ROOT).as_posix()}" for p in files}
    assert {name for name in contents(wheels[0]) if ".dist-info/" not in name} == wanted


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
