"""--force starts what does not fit, and says so."""

import subprocess
import sys

import pytest
from launching import DEADLINE_S, ROOT, topology

pytestmark = pytest.mark.network

PROGRAM = """
from prisam_p2p.launch import fit
from prisam_p2p.system.host_limits import Allowance, HostLimits
fit.host_limits = lambda *_: HostLimits(memory=Allowance(1, "a limit made by hand"))
from prisam_p2p.cli import main
main()
"""


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
    assert (tmp_path / "run" / "summary.json").exists()
