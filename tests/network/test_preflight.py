"""What a preflight counts is what a run has; --force starts what does not fit, and says so."""

import json
import os
import subprocess
import sys

import pytest
from launching import (
    DEADLINE_S,
    ROOT,
    family,
    journal,
    launcher,
    peer_pids,
    prisam,
    round_done,
    topology,
    wait_for,
)

pytestmark = pytest.mark.network

PROGRAM = """
from prisam_p2p.launch import fit
from prisam_p2p.system.host_limits import Allowance, HostLimits
fit.host_limits = lambda *_: HostLimits(memory=Allowance(1, "a limit made by hand"))
from prisam_p2p.cli import main
main()
"""


def test_a_run_has_the_processes_connections_and_descriptors_of_its_plan(tmp_path):
    net, run = topology(tmp_path), tmp_path / "run"
    code, out = prisam("plan", net, "--format", "json")  # a process with as few open files
    assert code == 0
    counts = json.loads(out)["runs"][0]["counts"]
    with launcher(net, "--rounds", 8, "--quiet", "--run-dir", run) as process:
        wait_for("first round", lambda: len(peer_pids(run)) == 6)
        wait_for("first round", round_done(run, [*peer_pids(run)], 0))
        processes = len(family(process.pid))
        files = max(len(os.listdir(f"/proc/{pid}/fd")) for pid in peer_pids(run).values())
        of_launcher = len(os.listdir(f"/proc/{process.pid}/fd"))
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert processes == counts["processes"]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["closure"]["connections"] == pytest.approx(counts["connections"], rel=0.25)
    assert files == pytest.approx(counts["peer_files"], rel=0.25)
    assert of_launcher == pytest.approx(counts["launcher_files"], rel=0.25)


def test_a_run_that_does_not_fit_can_be_forced(tmp_path):
    given = ["launch", str(topology(tmp_path)), "--rounds", "1", "--quiet"]
    given += ["--run-dir", str(tmp_path / "run")]
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}

    def run(*more):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *given, *more],
            env=env,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    refused = run()
    assert refused.returncode == 2, refused.stderr
    assert "are left (a limit made by hand): at most about 0 peers" in refused.stderr
    assert not (tmp_path / "run").exists()
    forced = run("--force")
    assert forced.returncode == 0, forced.stderr
    assert "does not fit on this machine" in forced.stderr
    assert journal(tmp_path / "run", "launcher")[-1]["status"] == "completed"
