"""A run goes on after its launcher was killed, to what it would have come to anyway."""

import json
import signal

import pytest
from launching import (
    DEADLINE_S,
    SMALL,
    journal,
    launch,
    launcher,
    patient,
    prisam,
    refused,
    round_done,
    topology,
    wait_for,
)
from resuming import is_the_same, kill_launcher_after, resume

pytestmark = pytest.mark.network

SIX_ROUNDS = SMALL.replace("rounds = 3", "rounds = 6")
SCENARIO = """
description = "one that is done before the launcher dies, one that is not"
[[fault]]
id = "early"
kind = "kill"
peers = ["p05"]
at = { round = 0, phase = "announce" }
[[fault]]
id = "late"
kind = "restart"
peers = ["p01"]
at = { round = 5, phase = "train" }
"""


def records(run, peer, kind):
    return [line for line in journal(run, peer) if line["record"] == kind]


def test_a_run_whose_launcher_was_killed_goes_on_and_comes_to_the_same(tmp_path):
    net, run, twin = topology(tmp_path, patient(SIX_ROUNDS)), tmp_path / "run", tmp_path / "twin"
    faults = tmp_path / "faults.toml"
    faults.write_text(SCENARIO)
    kill_launcher_after(1, ["p00", "p03"], run, net, "--faults", faults)
    killed = len(journal(run, "p00"))
    resume(run)

    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["rounds"]) == ("completed", 6)
    states = {peer: result["state"] for peer, result in summary["peers"].items()}
    assert states.pop("p05") == "died with -9 as planned"
    assert set(states.values()) == {"completed"}
    assert [fault["verdict"] for fault in summary["faults"]] == ["true", "true"]
    applied = [x["fault"] for x in records(run, "launcher", "fault_applied")]
    assert applied == ["early#0", "late#0"]  # once each
    closure = summary["closure"]
    assert closure["unexplained_bytes"] == 0
    assert closure["modelled_connections"] > 0  # nobody watched them end
    assert closure["source"] != "model"  # but those of the second launch

    times = [line["t_s"] for line in journal(run, "p00")]
    assert times[killed] >= max(times[:killed])  # one clock, without the time between
    assert [x["launches"] for x in records(run, "launcher", "run_started")] == [0, 1]
    begun = {x["peer"]: x["incarnation"] for x in records(run, "launcher", "peer_started")}
    assert begun == {"p00": 1, "p01": 2, "p02": 1, "p03": 1, "p04": 1, "p05": 0}
    first = {x["round"] for peer in states for x in records(run, peer, "resumed")[:1]}
    assert len(first) == 1  # all with the same round
    again = [x["round"] for x in journal(run, "p00")[killed:] if x["record"] == "trained"]
    assert again == list(range(first.pop(), 6))

    assert launch(net, "--run-dir", twin, "--faults", faults, "--quiet", fresh=True)[0] == 0
    is_the_same(run, twin)

    code, out = prisam("resume", run)
    assert (code, "nothing to resume" in out) == (2, True)


def test_what_cannot_be_resumed_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    begun = "expected the folder of a run that was begun"
    assert begun in refused("resume", tmp_path / "empty")
    assert "expected a run folder" in refused("resume", tmp_path / "none")
    run = tmp_path / "run"
    with launcher(topology(tmp_path, SIX_ROUNDS), "--run-dir", run, "--quiet") as process:
        wait_for("round 1", round_done(run, ["p00"], 0))
        process.send_signal(signal.SIGSTOP)  # it lives
        try:
            assert "have ended" in refused("resume", run)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=DEADLINE_S)
