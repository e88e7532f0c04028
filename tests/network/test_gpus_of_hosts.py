"""Peers see the GPUs that the plan gives them. A list of devices does: no GPU is used."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from launching import FAST, journal, launch, topology

_TELLS = """
import os
from prisam_p2p.api import Peer, Traits, algorithm


@algorithm(Traits(dense=True))
def tells(me: Peer) -> None:
    print("sees", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    weights, first = me.begin()
    for t in me.rounds_from(first):
        weights = me.train(t, weights)
        me.offer(t, weights)
        me.evaluate(t, "after_training", weights)
        me.end_round(t, weights)
    me.deploy({"after_training": weights})
"""
_NET = """
[peers]
count = 6
profiles = ["half", "half", "fast"]
[links]
generator = "full"
[hosts]
policy = "spread"
[run]
rounds = 1
groups = 2
images_per_peer = 24
"""
_HALF = FAST + "gpu = 0.5\n"


@pytest.mark.network
def test_peers_share_the_gpus_of_their_host_and_see_no_other(tmp_path):
    (tmp_path / "tells.py").write_text(_TELLS)
    net = topology(tmp_path, _NET, half=_HALF)
    run = tmp_path / "run"
    code, out, err = launch(
        *(net, "--run-dir", run, "--on", "local", "--hosts", "2"),
        *("--algorithm", f"{tmp_path}/tells.py:tells", "--baseline", "none"),
        env={"CUDA_VISIBLE_DEVICES": "4,GPU-7"},
    )
    assert code == 0, out + err
    hosts = json.loads((run / "plan.json").read_text())["hosts"]
    assert {name: each["gpus"] for name, each in hosts["hosts"].items()} == {"h1": 2, "h2": 0}
    ups = [each for each in journal(run, "launcher") if each["record"] == "host_up"]
    assert {each["host"]: each["gpus"] for each in ups} == {"h1": ["4", "GPU-7"], "h2": []}

    halves = sorted(hosts["gpus"])
    assert len(halves) == 4
    assert {hosts["placement"][peer] for peer in halves} == {"h1"}
    told = {peer: (run / "logs" / f"{peer}.log").read_text() for peer in hosts["placement"]}
    assert Counter(told[peer] for peer in halves) == {"sees 4\n": 2, "sees GPU-7\n": 2}
    assert {told[peer] for peer in told.keys() - set(halves)} == {"sees \n"}
