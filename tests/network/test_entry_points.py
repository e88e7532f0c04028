"""A package of a user's own, installed by pip: its entry points are launched, resumed, compared."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest
from installing import DEADLINE_S, ROOT, ended, environment, pip_install, pip_uninstall, run
from launching import SMALL, round_done, topology, wait_for

from prisam_p2p.extensions.record import sha256_of

pytestmark = [pytest.mark.network, pytest.mark.timeout(DEADLINE_S + 60)]

PAGE = (ROOT / "docs" / "extending.md").read_text()
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "NAME"
version = "VERSION"
[tool.setuptools]
packages = ["MODULE"]
[project.entry-points."prisam_p2p.algorithms"]
house-gossip = "MODULE.methods:gossip"
[project.entry-points."prisam_p2p.models"]
house-net = "MODULE.methods:net"
[project.entry-points."prisam_p2p.datasets"]
house-moons = "MODULE.methods:two_moons"
[project.entry-points."prisam_p2p.splits"]
house-halves = "MODULE.methods:halves"
"""
NAMES = {
    "algorithm": ("house-gossip", "gossip"),
    "model": ("house-net", "net"),
    "dataset": ("house-moons", "two_moons"),
    "split": ("house-halves", "halves"),
}
FOUR = SMALL.replace("count = 6", "count = 4").replace("groups = 2\nimages_per_peer = 24\n", "")
OPTIONS = [word for key, (name, _) in NAMES.items() for word in (f"--{key}", name)]
QUIET = ("--baseline", "none", "--quiet")


def project(folder, name="house-methods", version="1.2"):
    """Write a package that offers what docs/extending.md defines; return its folder."""
    module = name.replace("-", "_")
    code = folder / module
    code.mkdir(parents=True)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (code / "__init__.py").touch()
    (code / "methods.py").write_text("\n\n".join(blocks))
    text = PROJECT.replace("NAME", name).replace("MODULE", module).replace("VERSION", version)
    (folder / "pyproject.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def programs(installed, tmp_path_factory):
    """The programs of a venv in which prisam and a user's package are installed."""
    pip_install(installed, project(tmp_path_factory.mktemp("house") / "house"))
    yield installed
    pip_uninstall(installed, "house-methods")


@pytest.fixture(scope="module")
def done(programs, tmp_path_factory):
    """A run of the package's algorithm, model, data and split."""
    folder = tmp_path_factory.mktemp("done")
    net = topology(folder, FOUR)
    run([programs / "prisam", "launch", net, *OPTIONS, *QUIET, "--run-dir", "run"], folder)
    return folder / "run"


def elsewhere(programs, source, folder):
    """Install a package by pip in a folder of its own; return it, for PYTHONPATH."""
    pip_install(programs, source, "--target", folder)
    return str(folder)


def refused(command, cwd, **more):
    """Return the line by which a command refuses."""
    code, out, err = ended(command, cwd, **more)
    assert (code, out, err.count("\n")) == (2, "", 1), out + err
    return err


def test_they_are_listed_with_their_package(programs, tmp_path):
    listed = json.loads(run([programs / "prisam", "list", "--format", "json"], tmp_path))
    for kind in ("algorithms", "models", "datasets"):
        own = [each for each in listed[kind] if each["name"].startswith("house-")]
        assert [each["description"] for each in own] == ["of house-methods 1.2"]


def test_the_plan_records_where_each_leads_and_the_package_s_version(programs, done):
    plan = json.loads((done / "plan.json").read_text())
    (file,) = programs.parent.glob("lib/python*/site-packages/house_methods/methods.py")
    assert plan["code"].keys() == NAMES.keys()
    for key, (name, attribute) in NAMES.items():
        assert plan["settings"][key] == name
        assert plan["code"][key] == {
            "reference": f"house_methods.methods:{attribute}",
            "origin": "entry point",
            "distribution": "house-methods",
            "version": "1.2",
            "file": str(file),
            "sha256": sha256_of(file),
        }
        assert sha256_of(done / "code" / key / "methods.py") == sha256_of(file)
    summary = json.loads((done / "summary.json").read_text())
    assert (summary["status"], summary["algorithm"]) == ("completed", "house-gossip")
    assert summary["closure"]["unexplained_bytes"] == 0


def test_an_interrupted_run_is_resumed_without_more_trust_to_the_same_result(
    programs, done, tmp_path
):
    words = ("launch", topology(tmp_path, FOUR), *OPTIONS, *QUIET, "--run-dir", "run")
    command = [str(programs / "prisam"), *map(str, words)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment()) as process:
        wait_for("round 1", round_done(tmp_path / "run", ["p00"], 0))
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_S)
    run([programs / "prisam", "resume", "run", "--quiet"], tmp_path)
    told = run([programs / "prisam", "verify", done, "run"], tmp_path)
    assert told.startswith("the same: ")
    assert "code of" not in told


def test_a_plan_is_launched_again_only_with_the_package_that_it_was_made_with(
    programs, done, tmp_path
):
    plan, launch = done / "plan.json", [programs / "prisam", "launch"]
    newer = elsewhere(programs, project(tmp_path / "newer", version="1.3"), tmp_path / "path")
    err = refused([*launch, plan, "--run-dir", "again"], tmp_path, PYTHONPATH=newer)
    assert f"{plan}: settings.algorithm = 'house-gossip': expected what the run was" in err
    assert "of house-methods 1.2, sha256" in err
    assert "now it is house_methods.methods:gossip of house-methods 1.3, sha256" in err
    assert not (tmp_path / "again").exists()

    run([*launch, plan, *QUIET, "--run-dir", "again", "--rounds", "1"], tmp_path)
    assert json.loads((tmp_path / "again" / "summary.json").read_text())["rounds_done"] == 1


def test_a_name_that_another_package_offers_too_is_refused(programs, done, tmp_path):
    other = project(tmp_path / "other", name="other-methods", version="0.1")
    path = elsewhere(programs, other, tmp_path / "path")
    for words in (("house-gossip", "--algorithm", "house-gossip"), ("house-net", *OPTIONS[2:4])):
        name, option, _ = words
        command = [programs / "prisam", "launch", "ring-8", option, name, "--run-dir", "run"]
        err = refused(command, tmp_path, PYTHONPATH=path)
        assert err.startswith(f"error: {option} = '{name}': expected a name that one package")
        assert "house-methods 1.2 (house_methods.methods:" in err
        assert "other-methods 0.1 (other_methods.methods:" in err
    both = run([programs / "prisam", "list", "models"], tmp_path, PYTHONPATH=path)
    assert "of other-methods 0.1 and of house-methods 1.2" in " ".join(both.split())
    assert not (tmp_path / "run").exists()
