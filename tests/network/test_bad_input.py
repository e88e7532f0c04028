"""Wrong input: exit 2, one line that names file, key, value and what would be right; no run."""

from __future__ import annotations

import re

import pytest
from launching import FAST, SMALL, refused, topology

OPTIONS = [
    (["--rounds", "0"], r"--rounds = 0: expected a number of at least 1"),
    (["--prune-ratio", "1.0"], r"--prune-ratio = 1.0: expected a number below 1"),
    (["--learning-rate", "inf"], r"--learning-rate = inf: expected"),
    (["--similarity-layers", "last"], r"--similarity-layers = 'last': expected"),
    (["--similarity-layers", "last-9"], r"--similarity-layers = 'last-9': expected all, or last-1"),
    (["--model", "vgg_s"], r"--model = 'vgg_s': expected .*vgg-s"),
    (["--model", "torchvision:vgg16_bn"], r"--model = .*vgg16_bn.*--image-size"),
    (["--model", "torchvision:vgg16"], r"--model = .*vgg16.*BatchNorm"),
    (["--dataset", "digit"], r"--dataset = 'digit': expected digits"),
    (["--dataset", "none.npz"], r"none.npz"),
    (["--dataset", "fashion-mnist"], r"--data-dir"),
    (["--dataset", "folder", "--data-dir", "/none"], r"/none"),
    (["--groups", "7"], r"--groups = 7: expected .*6"),
    (["--classes-per-group", "11"], r"--classes-per-group = 11: expected .*10"),
    (["--images-per-peer", "2000"], r"--images-per-peer = 2000: expected"),
    (["--device", "cuda"], r"--device = 'cuda': expected cpu"),
]

FILES = [
    ("[run]\n", "[run]\nround = 3\n", r"net.toml: run.round = .*expected .*rounds"),
    ("rounds = 3", "deadline_k = 3.0", r"net.toml: run.deadline_k = 3.0: .*round_deadline_k"),
    ("rounds = 3", "quorum = 0.1", r"net.toml: run.quorum = 0.1: expected no such setting"),
    ("rounds = 3", 'rounds = "3"', r"net.toml: run.rounds = '3': expected an integer"),
    ("rounds = 3", "rounds = -1", r"net.toml: run.rounds = -1: expected a number of at least 1"),
    ('"full"', '"fool"', r"net.toml: links.generator = 'fool': expected one of 'full'"),
    ("count = 6", "count = 1", r"net.toml: peers.count = 1: expected"),
    ('"fast"', '"faast"', r"net.toml: peers.profiles = 'faast': expected a device profile"),
    (
        'generator = "full"',
        'edges = [["p00", "p01"], ["p02", "p03"], ["p04", "p05"]]',
        r"net.toml: links.edges = .*connected",
    ),
    ("[run]", "[rum]", r"net.toml: rum = .*expected .*run"),
    ("count = 6", "count = ", r"net.toml"),
]

PROFILES = [
    ("up_mbit_s = -1\n", r"fast.toml: up_mbit_s = -1"),
    ("speed = 2.0\n", r"fast.toml: speed = 2.0: expected a number of at most 1"),
    ("sped = 0.5\n", r"fast.toml: sped = .*speed"),
    ("macs = 10\n", r"device profile fast: .*expected a budget that"),
    ("macs_share = 0.3\nprune_ratio = 0.1\n", r"fast: prune_ratio = 0.1: expected at least 0.5"),
]


@pytest.mark.parametrize(("options", "why"), OPTIONS, ids=str)
def test_options(tmp_path, options, why):
    out = refused("launch", topology(tmp_path), "--run-dir", tmp_path / "run", *options)
    assert re.search(why, out), out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("old", "new", "why"), FILES)
def test_topologies(tmp_path, old, new, why):
    file = topology(tmp_path, SMALL.replace(old, new))
    out = refused("launch", file, "--run-dir", tmp_path / "run")
    assert re.search(why, out), out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("line", "why"), PROFILES)
def test_profiles(tmp_path, line, why):
    file = topology(tmp_path, SMALL, fast=FAST + line)
    out = refused("launch", file, "--run-dir", tmp_path / "run")
    assert re.search(why, out), out
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_exists(tmp_path):
    kept = tmp_path / "run" / "kept"
    kept.parent.mkdir()
    kept.write_text("mine")
    out = refused("launch", topology(tmp_path), "--run-dir", kept.parent)
    assert "does not exist yet" in out
    assert [kept.read_text(), *kept.parent.iterdir()] == ["mine", kept]


def test_a_topology_that_is_not_there():
    assert "clusters-12" in refused("launch", "topologies/clusters-13.toml")


def test_a_command_of_a_group():
    assert "--model = 'vgg'" in refused("bench", "wire", "--model", "vgg")


def test_a_broken_plan(tmp_path):
    (tmp_path / "plan.json").write_text('{"topology": 1}')
    assert "plan.json" in refused("launch", tmp_path / "plan.json")
