"""Whole runs with keys: the same results, every byte explained, and no secret key left behind."""

import json
import os
import subprocess
import sys

import pytest
from launching import DEADLINE_S, ROOT, SMALL, asked, journal, launch, patient, topology

pytestmark = pytest.mark.network

RECORDING = """
import sys
from prisam_p2p.transport import zap
make, told = zap.zmq.curve_keypair, sys.argv.pop(1)
def make_and_tell():
    pair = make()
    open(told, "ab").write(pair[1] + b"\\n")
    return pair
zap.zmq.curve_keypair = make_and_tell
from prisam_p2p.cli import launch
launch(prog_name="launch.py")
"""
"""The launcher, which tells a test the secret keys that it makes."""


def security_of(run):
    """Return what the peers recorded of their connections."""
    peers = [path.stem for path in (run / "journal").glob("p*.jsonl")]
    lines = (x for peer in peers for x in journal(run, peer) if x["record"] == "connection")
    return {line["security"] for line in lines}


def closure_of(run):
    return json.loads((run / "summary.json").read_text())["closure"]


def test_a_run_with_keys_is_the_run_without_and_leaves_no_key_behind(tmp_path):
    net, secrets = topology(tmp_path, patient(SMALL)), tmp_path / "secrets"
    plain, curve = tmp_path / "plain", tmp_path / "curve"
    options = ("--quiet", "--rounds", "2")
    code, _, err = launch(net, "--run-dir", plain, *options)
    assert (code, err) == (0, "")
    assert security_of(plain) == {"plain"}  # auto: all of it is on this machine
    arguments = (secrets, net, "--run-dir", curve, "--security", "curve", *options)
    done = subprocess.run(
        [sys.executable, "-c", RECORDING, *map(str, arguments)],
        capture_output=True,
        timeout=DEADLINE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert security_of(curve) == {"curve"}
    code, out = asked("verify", plain, curve)
    assert code == 0, out
    closure = closure_of(curve)
    assert closure["source"] == "kernel"
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["foreign_connections"] == 0
    keys = secrets.read_bytes().split()
    assert len(keys) == 6
    files = [path for path in curve.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        assert not [key for key in keys if key in path.read_bytes()], path


def test_a_killed_and_a_restarted_peer_with_keys(tmp_path):
    net, run = topology(tmp_path, SMALL.replace("rounds = 3", "rounds = 5")), tmp_path / "run"
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        'description = "for a test"\n'
        '[[fault]]\nid = "k"\nkind = "kill"\npeers = ["p05"]\nat = { round = 2, phase = "pull" }\n'
        '[[fault]]\nid = "r"\nkind = "restart"\npeers = ["p01"]\n'
        'at = { round = 2, phase = "announce" }\n'
    )
    options = ("--quiet", "--round-timeout-s", "30", "--reconnect-timeout-s", "1")
    code, _, err = launch(
        net, "--run-dir", run, "--security", "curve", "--faults", scenario, *options
    )
    assert code == 0, err
    assert [x["incarnation"] for x in journal(run, "p01") if x["record"] == "started"] == [0, 1]
    joined = [
        x["incarnation"]
        for x in journal(run, "p00")
        if x.get("neighbor") == "p01" and x["record"] == "neighbor_joined"
    ]
    assert joined[-1] == 1
    assert not [
        x
        for p in ("p00", "p01")
        for x in journal(run, p)
        if x["record"] == "turned" and x["verdict"] not in ("unreachable", "stale")
    ]
    assert security_of(run) == {"curve"}
    closure = closure_of(run)
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
