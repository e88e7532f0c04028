"""A launch that cannot fit is refused before any peer starts, with figures and what would fit."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from launching import ROOT, asked, topology

from prisam_p2p.errors import DoesNotFit
from prisam_p2p.launch import fit
from prisam_p2p.launch.fit import PlannedRun, require_fit
from prisam_p2p.launch.probe import ProbeFailed, probe_settings
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.preflight.needs import MIB
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.host_limits import Allowance, HostLimits
from prisam_p2p.system.process_limits import allow_many_files

MANY = """
[peers]
count = 2000
profiles = ["fast"]
[links]
generator = "k-regular"
degree = 6
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def small(tmp_path):
    """Return what was prepared for six peers, and the one run of the launch."""
    loaded = load_topology(topology(tmp_path))
    prepared = prepare(loaded, resolve_settings(loaded, {}))
    yield prepared, [PlannedRun(prepared.plan, namespaces=False)]
    prepared.images.close()


def limited(monkeypatch, **limits):
    monkeypatch.setattr(fit, "host_limits", lambda *_: HostLimits(**limits))


def test_a_small_run_on_an_empty_machine_needs_no_probe(small, tmp_path, monkeypatch, capfd):
    def probed(*_):
        raise AssertionError("a probe was run")

    monkeypatch.setattr(fit, "measure_peers", probed)
    limited(monkeypatch, memory=Allowance(64 * 1024 * MIB, "free memory"))
    require_fit(*small, tmp_path / "run", force=False)
    assert capfd.readouterr() == ("", "")


def test_what_little_memory_holds_is_measured_once_and_remembered(small, tmp_path, monkeypatch):
    prepared, runs = small
    calls = []
    monkeypatch.setattr(fit, "measure_peers", lambda *a: calls.append(a) or real_measure_peers(*a))
    limited(monkeypatch, memory=Allowance(60 * MIB, "free memory"))
    for _ in range(2):
        with pytest.raises(DoesNotFit, match=r"6 peers need about \d+ MiB of memory, 60.0 MiB"):
            require_fit(prepared, runs, tmp_path / "run", force=False)
    assert len(calls) == 1
    limited(monkeypatch, memory=Allowance(1024 * MIB, "free memory"))
    require_fit(prepared, runs, tmp_path / "run", force=False)  # measured: it fits


real_measure_peers = fit.measure_peers


def test_who_forces_it_is_told_only(small, tmp_path, monkeypatch, capfd):
    limited(monkeypatch, process_files=Allowance(30, "ulimit -Hn"))
    require_fit(*small, tmp_path / "run", force=True)
    assert "does not fit on this machine: peer p00 needs" in capfd.readouterr().err


def test_a_probe_that_fails_decides_nothing(small, tmp_path, monkeypatch, capfd):
    def fails(*_):
        raise ProbeFailed("the probe ended early")

    monkeypatch.setattr(fit, "measure_peers", fails)
    limited(monkeypatch, memory=Allowance(1, "free memory"))
    require_fit(*small, tmp_path / "run", force=False)
    assert "memory was not estimated: the probe ended early" in capfd.readouterr().err


def test_settings_that_do_not_change_the_cost_share_a_probe():
    one = RunSettings(seed=1, rounds=3, patience=2, evaluate_every=3, epochs=5)
    assert probe_settings(one) == probe_settings(RunSettings())
    assert probe_settings(RunSettings(width=2.0)) != probe_settings(RunSettings())


def test_a_limit_of_64_descriptors_is_refused_before_anything_is_started(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    command = [sys.executable, str(ROOT / "launch.py"), "--run-dir", str(tmp_path / "run")]
    before = {each.pid for each in psutil.process_iter()}
    done = subprocess.run(
        command, preexec_fn=limit, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert re.search(r"needs \d+ descriptors, 64 are allowed \(ulimit -Hn\)", done.stderr)
    assert not (tmp_path / "run").exists()
    left = [p for p in psutil.process_iter() if p.pid not in before and str(tmp_path) in cmdline(p)]
    assert left == []


def cmdline(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_two_thousand_peers_are_refused_with_the_figures(tmp_path):
    allow_many_files()
    if psutil.virtual_memory().available > 45 * 1024 * MIB:
        pytest.skip("2,000 peers may fit here")
    path = topology(tmp_path, MANY)
    code, out = asked("launch", path, "--run-dir", tmp_path / "run")
    assert code == 2
    assert "2,000 peers need about" in out
    assert "of memory" in out
    assert "at most about" in out
    assert not (tmp_path / "run").exists()
    code, out = asked("plan", path, "--format", "json")
    found = json.loads(out)
    assert (code, found["fits"]) == (0, False)
    (short,) = found["shortages"]
    assert short["what"] == "memory"
    assert 2000 * 20 * MIB < short["needs"] < 2000 * 40 * MIB


def test_a_plan_shows_needs_beside_limits_for_every_run(tmp_path):
    code, out = asked("plan", topology(tmp_path), "--baseline", "local")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["net", "prisam", "local"]
    rows = {line.split("  ")[0]: line.split() for line in lines}
    assert rows["processes"] == ["processes", "8", "8"]
    assert rows["TCP connections"][2:4] == ["42", "0"]  # 30 for masks, 12 for weights
    assert rows["memory to be taken"][-2:] == ["free", "memory"]
    assert len(rows["time"]) > 2
    assert lines[-1] == "it fits on this machine, as it is now"


def test_a_plan_with_faults_prints_them_too_and_alone_as_json(tmp_path):
    arguments = ("plan", "clusters-20", "--faults", "churn-30", "--rounds", "6")
    code, out = asked(*arguments)
    assert code == 0
    assert "memory in all" in out
    assert "churn-30: " in out
    code, out = asked(*arguments, "--format", "json")
    assert code == 0
    assert json.loads(out)["scenario"] == "churn-30"


def test_a_plan_starts_nothing_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked("plan", topology(tmp_path))
    assert not Path("runs").exists()
