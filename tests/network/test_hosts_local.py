"""Peers on several hosts, which are agents of this machine: the same results, faults and ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from launching import (
    SMALL,
    alive,
    asked,
    family,
    journal,
    launch,
    launcher,
    paced,
    patient,
    round_done,
    topology,
    wait_for,
)

from prisam_p2p.measure.folders import TWIN

pytestmark = pytest.mark.network

EIGHT_PEERS = patient(SMALL.replace("count = 6", "count = 8"))
LONG = paced(SMALL.replace("rounds = 3", "rounds = 500"))
PEERS = [f"p0{i}" for i in range(6)]
HOSTS = ["h1", "h2", "h3"]
ON_THREE = ("--on", "local", "--hosts", "3")


def summary_of(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def of_kind(run: Path, kind: str, name: str = "launcher") -> list[dict]:
    return [each for each in journal(run, name) if each["record"] == kind]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the same run on three hosts and on one."""
    folder = tmp_path_factory.mktemp("pair")
    net = topology(folder, EIGHT_PEERS)
    for name, options in (("three", ON_THREE), ("one", ())):
        code, _, err = launch(net, "--run-dir", folder / name, "--quiet", *options)
        assert code == 0, err
    return folder / "three", folder / "one"


def test_three_hosts_give_the_results_of_one(pair):
    code, out = asked("verify", *pair)
    assert code == 0, out
    assert out.startswith("the same: 24 masks")


def test_every_byte_is_explained_by_the_kernels_of_both_ends(pair):
    three, one = map(summary_of, pair)
    closure = three["closure"]
    assert (closure["unexplained_bytes"], closure["source"]) == (0, "kernel")
    assert closure["connections"] == one["closure"]["connections"] > 0
    watches = [of_kind(pair[0], "watch", f"kernel-{host}") for host in HOSTS]
    assert [[(w["host"], w["available"]) for w in each] for each in watches] == [
        [(host, True)] for host in HOSTS
    ]
    assert not (pair[0] / "journal" / "kernel.jsonl").exists()


def test_the_folder_holds_the_files_of_all_hosts(pair):
    three, one = pair
    for folder in ("journal", "models", "state"):
        here, there = ({p.name for p in (run / folder).iterdir()} for run in (one, three))
        assert {name for name in here if name.startswith("p")} <= there
        assert not [name for name in there if name.startswith(".")]


def test_hosts_are_told(pair):
    run, _ = pair
    placement = json.loads((run / "plan.json").read_text())["hosts"]["placement"]
    ups = of_kind(run, "host_up")
    assert sorted(each["host"] for each in ups) == HOSTS
    addresses = {each["host"]: each["address"] for each in ups}
    assert len(set(addresses.values())) == 3
    started = {each["peer"]: each["host"] for each in of_kind(run, "peer_started")}
    assert started == placement
    assert len(set(placement.values())) > 1
    for peer, host in placement.items():
        assert journal(run, peer)[0]["address"] == addresses[host]


def test_the_lines_to_the_hosts_are_measured(pair):
    run, _ = pair
    lines = {each["host"]: each for each in of_kind(run, "host_line")}
    assert sorted(lines) == HOSTS
    states = sum(path.stat().st_size for path in (run / "state").iterdir())
    assert sum(each["received_bytes"] for each in lines.values()) > states
    assert all(each["sent_bytes"] > 0 for each in lines.values())


FAULTS = """
description = "for a test"

[[fault]]
id = "back"
kind = "kill"
peers = ["p01"]
at = { round = 1, phase = "announce" }
heal = { rounds = 1 }

[[fault]]
id = "held"
kind = "pause"
peers = ["p02"]
at = { round = 3, phase = "announce" }
heal = { after_s = 1.0 }

[[fault]]
id = "cut"
kind = "partition"
groups = [["p03"], ["p04"]]
at = { round = 2, phase = "announce" }
heal = { rounds = 1 }

[[fault]]
id = "tight"
kind = "memory"
mib = 1
peers = ["p05"]
at = { round = 0, phase = "announce" }
heal = { never = true }

[[fault]]
id = "slow"
kind = "slow"
factor = 0.4
peers = ["p04"]
at = { round = 1, phase = "train" }
heal = { rounds = 2 }

[[fault]]
id = "full"
kind = "full-disk"
peers = ["p00"]
at = { round = 1, phase = "announce" }
heal = { rounds = 2 }
"""


def test_faults_get_their_verdicts_by_evidence_of_the_hosts(tmp_path):
    """The control run of the same launch has agents of its own, and shows that the faults bit."""
    (tmp_path / "scenario.toml").write_text(FAULTS)
    run = tmp_path / "run"
    net = topology(tmp_path, SMALL.replace("rounds = 3", "rounds = 5"))
    options = ("--quiet", "--round-timeout-s", "60", "--reconnect-timeout-s", "1", "--control-run")
    code, _, err = launch(
        net, "--run-dir", run, "--faults", tmp_path / "scenario.toml", *ON_THREE, *options
    )
    assert code == 0, err
    summary = summary_of(run)
    found = {each["id"]: (each["verdict"], each["why"]) for each in summary["faults"]}
    names = ("back", "cut", "full", "held", "slow", "tight")
    assert found == {f"{name}#0": ("true", "") for name in names}
    assert summary["closure"]["unexplained_bytes"] == 0
    incarnations = [e for e in of_kind(run, "peer_started") if e["peer"] == "p01"]
    assert [each["incarnation"] for each in incarnations] == [0, 1]
    assert len({each["host"] for each in incarnations}) == 1
    assert summary_of(run / TWIN)["status"] == "completed"


def running(tmp_path: Path, *options: object):
    """Start a long run on two hosts; return its launcher in round 1, and all its processes."""
    run, on_two = tmp_path / "run", ("--on", "local", "--hosts", "2")
    process = launcher(topology(tmp_path, LONG), "--run-dir", run, "--quiet", *on_two, *options)
    wait_for("first round", round_done(run, PEERS, 0))
    pids = family(process.pid)
    assert len(pids) == 1 + 2 + 2 + len(PEERS)  # launcher, agents, their zygotes, peers
    return process, pids, run


def test_an_interrupted_run_is_collected_and_leaves_nothing(tmp_path):
    process, pids, run = running(tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)
    assert process.returncode == 130
    assert not alive(pids)
    assert summary_of(run)["status"] == "interrupted"
    for peer in PEERS:
        assert journal(run, peer)[-1]["record"] == "finished"
    assert len(of_kind(run, "host_line")) == 2


def test_a_killed_launcher_leaves_nothing_after_the_lease(tmp_path):
    process, pids, _ = running(tmp_path, "--lease-s", "5")
    process.kill()
    process.communicate()
    wait_for("end of all processes", lambda: not alive(pids), 60.0)


def test_a_stopped_launcher_s_hosts_end_their_peers_when_the_lease_is_over(tmp_path):
    """Nobody tells the agents of it: their standard input stays open, and so do the lines."""
    process, pids, _ = running(tmp_path, "--lease-s", "5")
    process.send_signal(signal.SIGSTOP)
    try:
        others = [pid for pid in pids if pid != process.pid]
        wait_for("end of all peers", lambda: not alive(others), 60.0)
    finally:
        process.kill()
        process.communicate()
