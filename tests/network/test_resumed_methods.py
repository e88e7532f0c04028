"""Runs whose launcher was killed go on to the same, whatever a method keeps between rounds."""

import pytest
from launching import SMALL, launch, patient, topology
from resuming import is_the_same, kill_launcher_after, resume

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
    code, _, err = launch(net, *options, "--run-dir", twin, "--quiet")
    assert code == 0, err
    kill_launcher_after(0, PEERS, run, net, *options)
    resume(run)
    assert "6 final weights" in is_the_same(run, twin)


@pytest.mark.parametrize("method", ["ditto", "ifca", "facade", "dac", "fedrep"])
def test_a_baseline_that_keeps_more_than_its_weights(tmp_path, method):
    goes_on_to_the_same(tmp_path, FULL, ["--algorithm", method])


def test_few_peers_that_relay_masks_while_data_drift(tmp_path):
    (tmp_path / "drift.toml").write_text(DRIFT)
    options = [*FEW.split(), "--faults", tmp_path / "drift.toml"]
    goes_on_to_the_same(tmp_path, RING, options)
