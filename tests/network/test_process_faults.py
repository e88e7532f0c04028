"""Faults of processes and storage other than kills and pauses: each fired, bit, was contained."""

import json

import pytest
from control_runs import (
    FIVE_ROUNDS,
    contained,
    heard_missing,
    is_the_control_run_before,
    records,
)
from launching import launch, topology

from prisam_p2p.report.run_folder import RunFolder

pytestmark = pytest.mark.network

PEERS = [f"p{i:02d}" for i in range(6)]
OPTIONS = ("--quiet", "--round-timeout-s", "60", "--reconnect-timeout-s", "1")


def run_with(folder, scenario, *options, code=0):
    path, run = folder / "scenario.toml", folder / "run"
    path.write_text('description = "for a test"\n' + scenario)
    net = topology(folder, FIVE_ROUNDS)
    got, _, err = launch(net, "--run-dir", run, "--faults", path, *OPTIONS, *options)
    assert got == code, err
    summary = json.loads((run / "summary.json").read_text())
    assert summary["closure"]["unexplained_bytes"] == 0
    return run, summary


def verdicts(summary):
    return {each["kind"]: (each["verdict"], each["why"]) for each in summary["faults"]}


JOIN_SLOW_DISK = """
[[fault]]
id = "late"
kind = "join"
peers = ["p05"]
at = { round = 2, phase = "train" }

[[fault]]
id = "slow"
kind = "slow"
factor = 0.4
peers = ["p01"]
at = { round = 1, phase = "train" }
heal = { rounds = 2 }

[[fault]]
id = "full"
kind = "full-disk"
peers = ["p02"]
at = { round = 1, phase = "announce" }
heal = { rounds = 2 }

[[fault]]
id = "gone"
kind = "restart"
peers = ["p02"]
at = { round = 2, phase = "announce" }
"""


def test_one_joins_one_is_slow_one_has_no_disk(tmp_path, control):
    run, summary = run_with(tmp_path, JOIN_SLOW_DISK)
    assert set(verdicts(summary).values()) == {("true", "")}, verdicts(summary)
    contained(summary, control)
    announced, by_control = (
        {(p, x["round"]) for p in PEERS for x in records(each, p, "masked")}
        for each in (run, control.path)
    )
    assert by_control - announced == {("p05", 0), ("p05", 1)}  # before it joined
    for kind in ("state_not_written", "resumed"):
        assert records(control.path, "p02", kind) == []

    missing = [line["missing"] for line in records(run, "p00", "heard")]
    assert [each.get("p05") for each in missing[:2]] == ["is not there yet"] * 2
    assert [each.get("p05") for each in missing[2:]] == [None] * 3  # from then on it is awaited
    (came,) = records(run, "p05", "resumed")
    assert (came["state_round"], came["round"]) == (0, 2)
    assert records(run, "p05", "started")[0]["incarnation"] == 0
    assert sorted(records(run, "p05", "connected")[0]["neighbors"]) == [f"p0{i}" for i in range(5)]

    proofs = {
        line["fault"]: line["evidence"] for line in records(run, "launcher", "fault_verified")
    }
    assert proofs["slow#0"].startswith("it stood still for ")
    assert "No space left on device" in proofs["full#0"]
    lost = [line["round"] for line in records(run, "p02", "state_not_written")]
    assert lost[0] == 1
    (back,) = records(run, "p02", "resumed")
    assert back["state_round"] == 1  # what round 0 left was still whole
    assert {3, 4}.isdisjoint(lost)  # there is space again
    assert [path.name for path in (run / "state").iterdir() if path.is_symlink()] == []


MEMORY = """
[[fault]]
id = "tight"
kind = "memory"
mib = 1
peers = ["p03"]
at = { round = 0, phase = "announce" }  # the first clustering needs 66 MiB
heal = { never = true }

[[fault]]
id = "wide"
kind = "memory"
mib = 4096
peers = ["p04"]
at = { round = 1, phase = "train" }
"""


def test_who_needs_more_memory_is_out_and_who_does_not_was_not_bitten(tmp_path, control):
    run, summary = run_with(tmp_path, MEMORY, code=5)
    tight, wide = summary["faults"]
    assert (tight["verdict"], tight["why"]) == ("true", "")
    state = summary["peers"]["p03"]["state"]
    (proof,) = records(run, "launcher", "fault_verified")
    if state == "out-of-memory as planned":
        assert len(records(run, "p03", "memory_exceeded")) == 1
        assert proof["evidence"].startswith("out of memory with ")
    else:  # a library that aborts; or a thread or the last records that need memory, too
        assert state.startswith(("died with -6", "lost: memory: ", "lost: processes: "))
        assert state.endswith(" as planned")
    contained(summary, control, "p03")
    is_the_control_run_before(run, control, 1)
    assert {1, 2, 3, 4} <= set(heard_missing(run, "p04", "p03"))
    assert heard_missing(control.path, "p04", "p03") == []
    for each in (run, control.path):
        assert len(records(each, "p04", "trained")) == 5  # of the other, which has enough
    assert (wide["fired"], wide["verified"], wide["contained"]) == (True, False, True)
    assert (wide["verdict"], wide["why"]) == ("unknown", "it stayed within its limit: p04")


AT_HALF = """
[[fault]]
id = "donor"
kind = "kill"
peers = "all"
at = { event = "transfer", share = 0.5, round = 1 }
heal = { rounds = 2 }
"""


def test_a_donor_is_killed_within_one_chunk_of_half_a_transfer(tmp_path):
    wide = ("--width", "2.5", "--chunk-kib", "256")
    run, summary = run_with(tmp_path, AT_HALF, *wide, "--rounds", "4")
    assert verdicts(summary) == {"kill": ("true", "")}
    (donor,) = summary["faults"][0]["peers"]
    (stopped,) = records(run, donor, "transfer_stopped")
    half, chunk = stopped["n_bytes"] / 2, 256 * 1024
    assert stopped["n_bytes"] > 4 * chunk
    assert half - chunk <= stopped["offset"] <= half
    requester = stopped["to"]
    failed = [line for line in records(run, requester, "pull_failed") if line["donor"] == donor]
    assert [line["round"] for line in failed] == [1]
    assert received(run, requester, donor, 1) <= stopped["offset"]
    stopped_elsewhere = {
        (other, line["to"])
        for other in summary["peers"]
        for line in records(run, other, "transfer_stopped")
        if donor not in (other, line["to"])
    }
    went_on = {
        (line["donor"], peer)
        for peer in summary["peers"]
        for line in records(run, peer, "pulled")
        if line["round"] == 1
    }
    assert went_on >= stopped_elsewhere
    assert len(went_on) > 0  # of donors that were not killed
    before = {line["round"] for line in records(run, requester, "pulled") if line["donor"] == donor}
    assert 0 in before
    assert 1 not in before
    assert summary["peers"][donor]["state"] == "completed"  # it came back in round 3


def received(run, peer, donor, round_index):
    """Return the bytes of weights that `peer` took in from `donor` in a round, without headers."""
    mine = {
        line["connection"]
        for line in records(run, peer, "connection")
        if (line["neighbor"], line["channel"]) == (donor, "bulk")
    }
    last = {}
    for line in RunFolder(run).records(peer, "traffic"):
        for connection, way, kind, t, _messages, payload, *_ in line["rows"]:
            if connection in mine and (way, kind, t) == ("in", "chunk", round_index):
                last[connection] = payload
    return sum(last.values())
