"""Every byte of a run is explained: the closure is 0, also where a peer is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter

import pytest
import reused_ports
from control_runs import records
from launching import SMALL, asked, journal, launch, launcher, topology, wait_for

from prisam_p2p.system import sock_diag

pytestmark = pytest.mark.network

FOUR = SMALL.replace("count = 6", "count = 4")
SLOW = """
description = "a device that sends slowly"
source = "none: for tests"
up_mbit_s = 16
"""
TRAINS_SLOWLY = """
description = "a device that trains for two seconds"
source = "none: for tests"
speed = 0.01
"""


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


@pytest.fixture
def as_it_is(control_of):
    """Return the run of four peers without options."""
    return control_of("four", FOUR)


def run_with(folder, *options):
    """Return a run of four peers and its summary; every byte of it is explained."""
    run = folder / "run"
    code, _, err = launch(topology(folder, FOUR), "--run-dir", run, "--quiet", *options)
    assert (code, err) == (0, "")
    summary = summary_of(run)
    every_byte_is_explained(summary)
    return run, summary


def every_byte_is_explained(summary):
    closure = summary["closure"]
    assert (closure["verdict"], closure["source"]) == ("true", "kernel")
    assert closure["judged_connections"] == closure["connections"] >= 4 * 3
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["torn_bytes"] == closure["unsent_bytes"] == closure["in_flight_bytes"] == 0


def payload(summary, kind):
    return summary["bytes"][kind]["payload"]


def test_a_run_as_it_is(as_it_is):
    every_byte_is_explained(as_it_is.summary)


def test_float16_halves_the_weights(tmp_path, as_it_is):
    _, summary = run_with(tmp_path, "--wire-dtype", "float16")
    share = payload(summary, "weights") / payload(as_it_is.summary, "weights")
    assert 0.5 <= share < 0.51  # counters keep their width


def test_an_overlap_is_less_than_what_is_offered(tmp_path, as_it_is):
    run, summary = run_with(tmp_path, "--pull", "overlap", "--prune-ratio", "0.5")
    peers = list(summary["peers"])
    offered = {(p, x["round"]): x["n_bytes"] for p in peers for x in records(run, p, "offered")}
    pulled = [
        (x["n_bytes"], offered[x["donor"], x["round"]])
        for p in peers
        for x in records(run, p, "pulled")
    ]
    assert len(pulled) == 4 * 3  # one other in a group of two, for three rounds
    assert all(part <= whole for part, whole in pulled)
    assert sum(part for part, _ in pulled) < sum(whole for _, whole in pulled)
    assert payload(summary, "weights") < payload(as_it_is.summary, "weights")


def test_masks_of_two_layers_have_fewer_bytes(tmp_path, as_it_is):
    _, summary = run_with(tmp_path, "--similarity-layers", "last-2")
    assert 0 < payload(summary, "mask") < payload(as_it_is.summary, "mask")


NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--kill-child")


def test_ports_that_had_been_used_before_leave_nothing_unexplained(tmp_path):
    """Each pull goes by two addresses that had a connection which only its server recorded."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("needs unshare and ip")
    if (tried := subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True)).returncode:
        pytest.skip(f"no network namespaces here: {tried.stderr}")
    text = SMALL.replace("count = 6", "count = 3").replace("groups = 2", "groups = 1")
    net, run = topology(tmp_path, text, fast=TRAINS_SLOWLY), tmp_path / "run"
    program = [sys.executable, reused_ports.__file__, str(run)]
    options = [net, "--run-dir", run, "--quiet", "--rounds", "1"]
    done = subprocess.run(
        [*NAMESPACE, *program, *map(str, options)],
        capture_output=True,
        text=True,
        timeout=3 * reused_ports.DEADLINE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ends = [x for p in ("p00", "p01", "p02") for x in records(run, p, "connection")]
    count = Counter((x["side"], x["client"], x["server"]) for x in ends)
    pulls = [x for x in ends if (x["side"], x["channel"]) == ("client", "bulk")]
    again = [x for x in pulls if count["server", x["client"], x["server"]] == 2]
    assert len(again) >= 1
    assert all(count["client", x["client"], x["server"]] == 1 for x in again)
    closure = summary_of(run)["closure"]
    assert (closure["verdict"], closure["source"]) == ("true", "kernel")
    assert closure["judged_connections"] == closure["connections"] == 3 * 2 * 2
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    assert closure["foreign_connections"] >= len(again)


def test_a_donor_killed_in_the_middle_of_a_pull_leaves_nothing_unexplained(tmp_path):
    text = FOUR.replace('["fast"]', '["slow"]').replace("groups = 2", "groups = 1")
    net, run = topology(tmp_path, text, slow=SLOW), tmp_path / "run"
    options = ("--width", "4", "--chunk-kib", "256", "--rounds", "1", "--reconnect-timeout-s", "1")
    process = launcher(net, "--run-dir", run, "--quiet", *options)
    wait_for("a first journal", lambda: journal(run, "p00"))
    donor = journal(run, "p00")[0]

    def gives():
        from_donor = [s for s in sock_diag.dump() if s.ends[0] == (donor["address"], donor["port"])]
        return any(each.info.sent > 500_000 for each in from_donor)

    wait_for("half a transfer", gives)
    os.kill(donor["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 4, out + err
    assert "p00 died with -9" in err
    lost = [
        x for p in ("p01", "p02", "p03") for x in journal(run, p) if x["record"] == "pull_failed"
    ]
    assert any((x["donor"], x["reason"]) == ("p00", "connection closed") for x in lost)
    closure = summary_of(run)["closure"]
    assert (closure["unexplained_bytes"], closure["failures"]) == (0, [])
    code, out = asked("bytes", run, "--format", "json")
    assert code == 0, out
