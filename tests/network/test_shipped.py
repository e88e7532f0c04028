"""Every topology that ships is run, as a user would; and the demo's promise is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from launching import ROOT, launch

from prisam_p2p.page.report_file import write_report

pytestmark = pytest.mark.network

TOPOLOGIES = sorted((ROOT / "topologies").glob("*.toml"))
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_a_shipped_topology_runs(tmp_path, path):
    options = ["--rounds", 1, "--warmup-epochs", 1, "--baseline", "none", "--format", "json"]
    # a hundred processes take one minute on two free cores, and several on busy ones
    code, out, err = launch(path, *options, "--run-dir", tmp_path / "run", deadline_s=800)
    assert code == 0, err
    summary = json.loads(out)
    assert {peer["state"] for peer in summary["peers"].values()} == {"completed"}
    assert summary["bytes"]["weights"]["messages"] > 0


def test_the_default_network_finds_its_groups_and_gains_over_local(tmp_path):
    code, out, err = launch("--run-dir", tmp_path / "run", "--format", "json")
    assert code == 0, err
    summary = json.loads(out)
    assert summary["topology"] == "clusters-12"
    assert summary["grouping"]["ari_by_round"][3] >= 0.9
    assert summary["accuracy"]["deployed"] > summary["baseline"]["accuracy"]["deployed"]
    assert write_report([tmp_path / "run"], tmp_path / "page.html") < 2.5e6


@pytest.mark.slow
@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"no Fashion-MNIST in {FASHION_MNIST}")
def test_fashion_mnist_gains_over_local(tmp_path):
    code, out, err = launch(
        ROOT / "topologies" / "clusters-20.toml",
        *("--dataset", "fashion-mnist", "--data-dir", FASHION_MNIST, "--images-per-peer", 60),
        *("--rounds", 4, "--run-dir", tmp_path / "run", "--format", "json"),
    )
    assert code == 0, err
    summary = json.loads(out)
    assert summary["grouping"]["ari_by_round"][3] >= 0.9
    assert summary["accuracy"]["deployed"] > summary["baseline"]["accuracy"]["deployed"]
