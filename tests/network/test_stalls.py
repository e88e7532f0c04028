"""Faults that no plan knows of: what is stopped is named, and ended; nothing else is."""

import json
import os
import signal
import subprocess

import pytest
from launching import (
    SMALL,
    alive,
    family,
    journal,
    launcher,
    peer_pids,
    round_done,
    topology,
    wait_for,
)

from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.verify import compare

pytestmark = pytest.mark.network

PEERS = [f"p0{i}" for i in range(6)]
SHORT = ("--stall-timeout-s", "3")
LONG = SMALL.replace("rounds = 3", "rounds = 500")


def told(run, *kinds):
    return [line for line in journal(run, "launcher") if line["record"] in kinds]


def zygote_of(process):
    """Return the pid of a launcher's zygote: its only child."""
    return next(p for p in family(process.pid) if p != process.pid)


def is_told(run, kind, **fields):
    return lambda: any(fields.items() <= line.items() for line in told(run, kind))


def test_two_stopped_peers_are_named_and_ended_and_the_others_complete(tmp_path):
    run, text = tmp_path / "run", SMALL.replace("rounds = 3", "rounds = 6")
    process = launcher(topology(tmp_path, text), "--run-dir", run, *SHORT)
    wait_for("first round", round_done(run, PEERS, 0))
    for peer in ("p01", "p05"):
        os.kill(peer_pids(run)[peer], signal.SIGSTOP)
    noticed_s = wait_for("notice", is_told(run, "stalled", peer="p05", reason="stopped"))
    assert noticed_s < 5.0
    _, err = process.communicate(timeout=90)
    assert process.returncode == 4, err
    assert "waiting for p0" in err
    assert "p05: stopped for 2 s while " in err
    given_up = told(run, "given_up")
    assert sorted(peer for each in given_up for peer in each["peers"]) == ["p01", "p05"]
    for each in given_up:
        assert all(why.startswith("stopped for 3 s while") for why in each["reasons"].values())
    states = json.loads((run / "summary.json").read_text())["peers"]
    assert {peer: states[peer]["state"] for peer in PEERS} == {
        **dict.fromkeys(PEERS, "completed"), "p01": "died with -6", "p05": "died with -6"
    }  # fmt: skip
    ended = {line["peer"]: line["exit_code"] for line in told(run, "peer_ended")}
    assert ended == {**dict.fromkeys(PEERS, 0), "p01": -6, "p05": -6}
    log = (run / "logs" / "p05.log").read_text()
    assert "Fatal Python error: Aborted" in log  # where each of its threads was
    assert "/control/" in log
    assert "io_thread.py" in log
    assert "peer/process.py" in log.split("Current thread")[1].split("\n\n")[0]  # its main thread


def test_a_stopped_zygote_is_named_and_the_run_fails_with_nothing_left(tmp_path):
    run = tmp_path / "run"
    process = launcher(topology(tmp_path, LONG), "--run-dir", run, *SHORT)
    wait_for("first round", round_done(run, PEERS, 0))
    pids = family(process.pid)
    os.kill(zygote_of(process), signal.SIGSTOP)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert "waiting for the zygote: stopped for " in err
    assert "error: zygote: stopped for 3 s" in err
    assert "Traceback" not in err
    assert not alive(pids)
    assert told(run, "stalled")[0]["peer"] == "zygote"
    assert told(run, "run_ended")[0]["status"] == "failed"
    assert json.loads((run / "summary.json").read_text())["status"] == "failed"


def test_a_peer_that_is_stopped_before_the_rounds_is_named(tmp_path):
    run = tmp_path / "run"
    process = launcher(topology(tmp_path, LONG), "--run-dir", run, *SHORT, "--start", "spawn")
    wait_for("first processes", lambda: len(peer_pids(run)) == len(PEERS))
    pids = family(process.pid)
    os.kill(peer_pids(run)["p04"], signal.SIGSTOP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "error: peer p04: stopped for 3 s while starting: ended" in err
    assert not alive(pids)


PAUSED = """
description = "for a test"
[[fault]]
id = "pause"
kind = "pause"
peers = ["p05"]
at = { round = 1, phase = "train" }
heal = { after_s = 7 }
"""


def test_planned_pauses_a_stopped_launcher_and_a_slow_device_end_nobody(tmp_path):
    """All at once, and the results are those of a run in which the watchdog never acts."""
    slow = {"slow": 'description = "d"\nsource = "none"\nspeed = 0.01\n'}
    text = SMALL.replace('["fast"]', '["fast"]\nexceptions = { p00 = "slow" }')
    text = text.replace(
        "images_per_peer = 24", "images_per_peer = 24\nwidth = 4.0\nbatch_size = 24"
    )
    net, scenario = topology(tmp_path, text, **slow), tmp_path / "pause.toml"
    scenario.write_text(PAUSED)
    runs = {}
    for name, stops, options in (("one", True, SHORT), ("two", False, ())):
        runs[name] = run = tmp_path / name
        process = launcher(net, "--run-dir", run, "--faults", scenario, *options)
        wait_for("first round", round_done(run, PEERS, 0))
        if stops:
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(6.0)
            process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 5), err
        assert told(run, "stalled", "given_up") == []
    assert told(runs["one"], "fault_verified")
    assert compare(*(RunFolder(run) for run in runs.values())) == []


def test_a_peer_that_moves_on_is_not_ended(tmp_path):
    run = tmp_path / "run"
    process = launcher(topology(tmp_path, LONG), "--run-dir", run, "--quiet")
    wait_for("first round", round_done(run, PEERS, 0))
    os.kill(peer_pids(run)["p02"], signal.SIGSTOP)
    wait_for("notice", is_told(run, "stalled", peer="p02"))
    os.kill(peer_pids(run)["p02"], signal.SIGCONT)
    wait_for("word that it is over", is_told(run, "moved_on", peer="p02"))
    assert told(run, "given_up") == []
    # Now the end of the run: one that is stopped does not hold it up for long.
    os.kill(peer_pids(run)["p02"], signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not alive([*peer_pids(run).values()])
