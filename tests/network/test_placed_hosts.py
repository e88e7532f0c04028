"""Peers that are placed on hosts: faults of hosts, the same plan again, and going on elsewhere."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launching import SMALL, asked, journal, launch, paced, patient, prisam, topology, wait_for

pytestmark = pytest.mark.network

PEERS = [f"p0{i}" for i in range(6)]
FIVE = SMALL.replace("rounds = 3", "rounds = 5")
TWENTY = paced(patient(SMALL.replace("rounds = 3", "rounds = 20")))
ON_THREE = ("--on", "local", "--hosts", "3")

FAULTS = """
description = "a host is cut off for a round; later another one goes down"

[[fault]]
id = "cable"
kind = "host-cut"
hosts = "h1"
at = { round = 1, phase = "announce" }

[[fault]]
id = "outage"
kind = "host-down"
hosts = "h3"
at = { round = 3, phase = "train" }
"""


def of_kind(run: Path, kind: str) -> list[dict]:
    return [each for each in journal(run, "launcher") if each["record"] == kind]


def hosts_of(run: Path) -> dict:
    return json.loads((run / "plan.json").read_text())["hosts"]


def begun(*arguments: object) -> subprocess.Popen[str]:
    """Start a `prisam` command and do not wait."""
    return subprocess.Popen(
        [sys.executable, "-c", "from prisam_p2p.cli import main; main()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def has_rounds(run: Path, launches: int) -> bool:
    """Tell whether all peers have done three rounds since the launcher started anew so often."""
    for peer in PEERS:
        kinds = [each["record"] for each in journal(run, peer)]
        starts = [i for i, kind in enumerate(kinds) if kind == "started"]
        if len(starts) <= launches or kinds[starts[launches] :].count("traffic") < 3:
            return False
    return True


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run in which a host is cut off, and another goes down."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faults.toml").write_text(FAULTS)
    code, _, err = launch(
        topology(folder, FIVE),
        *("--run-dir", folder / "run", "--quiet", "--round-timeout-s", "4"),
        *("--faults", folder / "faults.toml", *ON_THREE, "--lease-s", "5"),
    )
    assert code == 0, err
    return folder / "run"


def test_faults_of_hosts_fire_bite_and_are_contained(faulty):
    placement = hosts_of(faulty)["placement"]
    summary = json.loads((faulty / "summary.json").read_text())
    verdicts = {each["id"]: each for each in summary["faults"]}
    assert set(verdicts) == {"cable#0", "outage#0"}
    for each in verdicts.values():
        assert (each["verified"], each["verdict"]) == (True, "true"), each
    down = {peer for peer, host in placement.items() if host == "h3"}
    assert down
    (lost,) = of_kind(faulty, "host_lost")
    assert (lost["host"], set(lost["peers"])) == ("h3", down)
    states = of_kind(faulty, "run_ended")[-1]["states"]
    assert {p for p, state in states.items() if state == "completed"} == set(PEERS) - down
    assert all("as planned" in states[peer] for peer in down)


def test_a_plan_is_placed_on_its_hosts_as_it_was(faulty):
    plan = faulty / "plan.json"
    code, text = prisam("plan", plan, "--format", "json")
    assert code == 0
    shares = json.loads(text)["hosts"]
    placement = list(hosts_of(faulty)["placement"].values())
    assert {each["name"]: each["peers"] for each in shares} == {
        host: placement.count(host) for host in ("h1", "h2", "h3")
    }


def test_a_run_of_hosts_goes_on_on_others_and_on_none(tmp_path):
    """To the result of a run on this machine alone."""
    net, run = topology(tmp_path, TWENTY), tmp_path / "run"
    code, _, err = launch(net, "--run-dir", tmp_path / "alone", "--quiet")
    assert code == 0, err
    ends = [
        (("launch", net, "--run-dir", run, *ON_THREE), signal.SIGKILL),
        (("resume", run, "--on", "local", "--hosts", "2"), signal.SIGINT),
    ]
    for launches, (arguments, number) in enumerate(ends):
        with begun(*arguments, "--quiet") as process:
            try:
                wait_for("three rounds", lambda n=launches: has_rounds(run, launches=n))
            finally:
                process.send_signal(number)
                process.communicate(timeout=60)
    code, text = prisam("resume", run, "--on", "none", "--quiet")
    assert code == 0, text
    ups = [each["host"] for each in of_kind(run, "host_up")]
    assert sorted(ups) == ["h1", "h1", "h2", "h2", "h3"]
    assert [each["launches"] for each in of_kind(run, "run_started")] == [0, 1, 2]
    code, text = asked("verify", tmp_path / "alone", run)
    assert code == 0, text
