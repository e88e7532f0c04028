"""Masks relayed in a real network: groups, bytes, a resume, a cut, and a relay that lies."""

import json

import pytest
from control_runs import records
from launching import SMALL, launch, paced, patient, topology
from resuming import kill_launcher_after, resume

from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verify import compare

pytestmark = pytest.mark.network

FOUR_ROUNDS = SMALL.replace("rounds = 3", "rounds = 4")
PEERS = [f"p{i:02d}" for i in range(6)]
RING = FOUR_ROUNDS.replace('generator = "full"', 'generator = "ring"').replace(
    "rounds = 4", "rounds = 4\nmask_hops = 3"
)


@pytest.fixture(scope="module")
def ring(control_of):
    """Return the run of a ring of six peers that hear each other's masks."""
    return control_of("relaying-ring", RING)


def differences(one, other):
    return [str(each) for each in compare(RunFolder(one), RunFolder(other))]


def test_a_ring_that_relays_comes_to_what_a_full_network_comes_to(ring, control_of):
    full = control_of("four-rounds", FOUR_ROUNDS)
    assert differences(ring.path, full.path) == []  # to the last bit of every model
    summary = ring.summary
    assert summary["grouping"]["ari"] == 1.0
    assert (summary["closure"]["verdict"], summary["closure"]["unexplained_bytes"]) == ("true", 0)
    assert summary["rejected"] == {}
    assert {check["verdict"] for check in summary["checks"]} <= {"true", "not judged"}
    assert "relay" not in full.summary["bytes"]
    assert summary["bytes"]["relay"]["payload"] > 0
    assert summary["bytes"]["relay"]["wire"] < summary["bytes"]["weights"]["wire"]
    for at, peer in enumerate(PEERS):
        far = {PEERS[(at + 2) % 6]: 2, PEERS[(at + 3) % 6]: 3, PEERS[(at + 4) % 6]: 2}
        told = records(ring.path, peer, "relayed")
        assert [x["hops"] for x in told] == [far] * 4
        assert [x["missing"] for x in told] == [[]] * 4
        channels = {
            x["channel"] for x in records(ring.path, peer, "connection") if x["neighbor"] in far
        }
        assert channels <= {"bulk"}


def test_a_run_that_relays_goes_on_after_its_launcher_was_killed(ring, tmp_path):
    run = tmp_path / "run"
    kill_launcher_after(0, PEERS, run, topology(tmp_path, patient(RING)))
    resume(run)
    assert differences(run, ring.path) == []
    assert json.loads((run / "summary.json").read_text())["closure"]["unexplained_bytes"] == 0


LIAR = """
description = "a relay alters what it passes on"
[[fault]]
id = "liar"
kind = "forged-relay"
peers = ["p01"]
"""


def test_a_relay_that_alters_masks_is_named_and_believed_by_nobody(ring, tmp_path):
    faults, run = tmp_path / "faults.toml", tmp_path / "run"
    faults.write_text(LIAR)
    net = topology(tmp_path, RING)
    code, _, err = launch(
        *(net, "--run-dir", run, "--faults", faults, "--security", "curve", "--quiet")
    )
    assert code == 0, err
    summary = json.loads((run / "summary.json").read_text())
    (fault,) = summary["faults"]
    assert (fault["verdict"], fault["named_by"]) == ("true", ["p00", "p02"])
    assert summary["closure"]["unexplained_bytes"] == 0
    turned = {
        (peer, x["sender"], x["verdict"]) for peer in PEERS for x in records(run, peer, "turned")
    }
    assert turned == {("p00", "p01", "forged"), ("p02", "p01", "forged")}
    # p00 hears p02 by p01 alone; p03 it hears by p05 and p04, too.
    assert [x["hops"] for x in records(run, "p00", "relayed")] == [{"p03": 3, "p04": 2}] * 4
    assert {p: x["state"] for p, x in summary["peers"].items()} == dict.fromkeys(PEERS, "completed")
    assert summary["grouping"]["ari"] == 1.0


CUT = """
description = "no path leads to a peer for a round"
[[fault]]
id = "alone"
kind = "isolate"
peers = ["p00"]
at = { round = 1, phase = "announce" }
heal = { rounds = 1 }
"""


def test_no_connection_lasts_where_no_path_does(ring, tmp_path, namespaces):
    faults, run = tmp_path / "faults.toml", tmp_path / "run"
    faults.write_text(CUT)
    net = topology(tmp_path, paced(RING.replace("rounds = 4", "rounds = 8")))  # to meet again
    code, _, err = launch(net, "--run-dir", run, "--faults", faults, "--quiet", *namespaces)
    assert code == 0, err
    summary = json.loads((run / "summary.json").read_text())
    assert summary["faults"][0]["verdict"] == "true"
    assert summary["closure"]["unexplained_bytes"] == 0
    hops = {x["round"]: x["hops"] for x in records(run, "p03", "relayed")}
    assert hops[0] == {"p00": 3, "p01": 2, "p05": 2}
    assert "p00" not in hops[1]
    averaged = {x["round"]: x["members"] for x in records(run, "p00", "aggregated")}
    assert averaged[1] == ["p00"]
