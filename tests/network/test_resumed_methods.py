"""Runs whose launcher was killed go on to the same, whatever a method keeps between rounds."""

import signal

import pytest
from launching import (
    DEADLINE_S,
    SMALL,
    alive,
    asked,
    launch,
    launcher,
    patient,
    peer_pids,
    prisam,
    round_done,
    topology,
    wait_for,
)

pytestmark = pytest.mark.network

PEERS = [f"p{i:02d}" for i in range(6)]
FULL = SMALL.replace("rounds = 3", "rounds = 4\nepochs = 1")
RING = SMALL.replace("full", "ring").replace("rounds = 3", "rounds = 6\nepochs = 1")
DRIFT = """
description = "p00 has data of another group for two rounds"
[[fault]]
id = "away"
kind = "drift"
peers = ["p00"]
to = 1
at = { round = 2, phase = "train" }
heal = { rounds = 2 }
"""
FEW = "--mask-hops 3 --participation 0.5 --similarity-by gamma-of-w0 --similarity-every 2"


def goes_on_to_the_same(folder, text, options):
    """Run a topology twice, once with a launcher that is killed and resumed, and compare."""
    net, run, twin = topology(folder, patient(text)), folder / "run", folder / "twin"
    options = [*options, "--quiet", "--run-dir"]
    code, _, err = launch(net, *options, twin)
    assert code == 0, err
    with launcher(net, *options, run) as process:
        wait_for("round 1", round_done(run, PEERS, 0))
        pids = peer_pids(run)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
    wait_for("end of the peers", lambda: not alive(list(pids.values())), 60)
    assert prisam("resume", run, "--quiet") == (0, "")
    code, out = asked("verify", run, twin)
    assert (code, out.split(":")[0]) == (0, "the same"), out
    assert "6 final weights" in out


@pytest.mark.parametrize("method", ["ditto", "ifca", "facade", "dac", "fedrep"])
def test_a_baseline_that_keeps_more_than_its_weights(tmp_path, method):
    goes_on_to_the_same(tmp_path, FULL, ["--algorithm", method])


def test_few_peers_that_relay_masks_while_data_drift(tmp_path):
    (tmp_path / "drift.toml").write_text(DRIFT)
    options = [*FEW.split(), "--faults", tmp_path / "drift.toml"]
    goes_on_to_the_same(tmp_path, RING, options)
