"""Every way a run can end: nothing is left behind, and the folder says what happened."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from launching import (
    FAST,
    SMALL,
    alive,
    asked,
    family,
    has_signal,
    journal,
    launch,
    launcher,
    peer_pids,
    round_done,
    topology,
    wait_for,
)

pytestmark = pytest.mark.network

LONG = SMALL.replace("rounds = 3", "rounds = 500")
PEERS = [f"p0{i}" for i in range(6)]
ENDS_S = 60.0
"""An end takes a second; on a busy machine, several."""


def nobody_listens(run: Path) -> bool:
    for peer in PEERS:
        started = journal(run, peer)[0]
        with socket.socket() as probe:
            if probe.connect_ex((started["address"], started["port"])) == 0:
                return False
    return True


def test_a_killed_launcher_leaves_no_process(tmp_path):
    process = launcher(topology(tmp_path, LONG), "--run-dir", tmp_path / "run", "--quiet")
    wait_for("first round", round_done(tmp_path / "run", PEERS, 0))
    pids = family(process.pid)
    assert len(pids) == 1 + 1 + len(PEERS)  # launcher, zygote, peers
    process.kill()
    process.communicate()
    wait_for("end of all processes", lambda: not alive(pids), ENDS_S)
    wait_for("end of all sockets", lambda: nobody_listens(tmp_path / "run"), ENDS_S)
    code, out = asked("summary", tmp_path / "run", "--format", "json")
    told = json.loads(out)
    assert (code, told["status"], told["lost"]) == (0, "killed", [])
    ended = (
        "prisam on net: not ended (its launcher was killed, could not write, or still runs) after "
    )
    assert told["headline"].startswith(ended)


def test_a_killed_launcher_leaves_no_spawned_process(tmp_path):
    text = LONG.replace("count = 6", "count = 2").replace("groups = 2", "groups = 1")
    run = tmp_path / "run"
    process = launcher(topology(tmp_path, text), "--run-dir", run, "--quiet", "--start", "spawn")
    wait_for("first round", round_done(run, PEERS[:2], 0))
    pids = family(process.pid)
    process.kill()
    process.communicate()
    wait_for("end of all processes", lambda: not alive(pids), ENDS_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_readable(tmp_path, number):
    run = tmp_path / "run"
    process = launcher(topology(tmp_path, LONG), "--run-dir", run)
    wait_for("first round", round_done(run, PEERS, 0))
    pids = family(process.pid)
    process.send_signal(number)
    out, _ = process.communicate(timeout=2 * ENDS_S)
    assert process.returncode == 130
    assert not alive(pids)
    wait_for("end of all sockets", lambda: nobody_listens(run), ENDS_S)
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["lost"]) == ("interrupted", [])
    done = re.match(r"prisam on net: interrupted after (\d+)(?: to \d+)? of 500 rounds, ", out)
    assert done
    assert int(done[1]) == summary["rounds_done"] > 0
    assert {peer["state"] for peer in summary["peers"].values()} == {"stopped"}
    assert summary["accuracy"]["after_training"] > 0
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupt_while_starting_ends_it_too(tmp_path):
    run = tmp_path / "run"
    process = launcher(topology(tmp_path, LONG), "--run-dir", run, "--quiet")
    wait_for("first process", lambda: bool(peer_pids(run)))
    pids = family(process.pid)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=2 * ENDS_S)
    assert process.returncode == 130
    assert not alive(pids)


@pytest.mark.parametrize("command", ["launch", "resume", "experiment", "soak", "view"])
def test_an_interrupt_at_the_first_line_ends_a_command(command):
    process = subprocess.Popen(
        [sys.executable, "-m", "prisam_p2p", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_for("handler", lambda: has_signal(process.pid, "SigCgt", signal.SIGTERM))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


def test_an_interrupt_of_the_last_words_of_a_run_is_not_lost(tmp_path):
    """A baseline would begin after it."""
    run = tmp_path / "run"
    net = topology(tmp_path, SMALL.replace("rounds = 3", "rounds = 1"))
    process = launcher(net, "--run-dir", run, "--baseline", "local")
    wait_for("end", lambda: any(x["record"] == "run_ended" for x in journal(run, "launcher")))
    pids = family(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert alive(pids) == []
    assert asked("summary", run)[0] == 0


def test_a_peer_that_dies_at_start_is_told_with_its_last_lines(tmp_path):
    """A real process that cannot start: its interpreter is broken from outside."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'prisam_p2p.peer.process' in sys.orig_argv:\n"
        "    raise SystemExit('this device has no luck today')\n"
    )
    run = tmp_path / "run"
    code, _, err = launch(
        topology(tmp_path, LONG),
        *("--run-dir", run, "--start", "spawn"),
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert code == 3
    assert "peer p0" in err
    assert "this device has no luck today" in err
    assert not alive(list(peer_pids(run).values()))
    assert journal(run, "launcher")[-1]["status"] == "failed"
    assert json.loads((run / "summary.json").read_text())["status"] == "failed"


WRONG_LINE = b'{"v":1,"report":"process-up","port":"x"}\n'


def test_a_peer_that_sends_a_wrong_line_fails_the_run_by_name(tmp_path):
    """A real process that writes nonsense to its launcher before it begins."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'prisam_p2p.peer.process' in sys.orig_argv:\n"
        f"    os.write(int(sys.orig_argv[-1]), {WRONG_LINE!r})\n"
    )
    run = tmp_path / "run"
    code, _, err = launch(
        topology(tmp_path, LONG),
        *("--run-dir", run, "--start", "spawn"),
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert code == 3
    assert "peer p0" in err
    assert "it sent a wrong line: report 'process-up', field port: " in err
    assert "Traceback" not in err
    assert not alive(list(peer_pids(run).values()))
    assert journal(run, "launcher")[-1]["status"] == "failed"


def test_a_killed_peer_is_left_out_by_name_and_the_others_complete(tmp_path):
    run = tmp_path / "run"
    text = SMALL.replace("rounds = 3", "rounds = 12")
    process = launcher(topology(tmp_path, text), "--run-dir", run)
    wait_for("first round", round_done(run, PEERS, 0))
    os.kill(peer_pids(run)["p01"], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "p01 died with -9" in err
    summary = json.loads((run / "summary.json").read_text())
    states = {peer: result["state"] for peer, result in summary["peers"].items()}
    assert states == {**dict.fromkeys(PEERS, "completed"), "p01": "died with -9"}
    (lost,) = summary["lost"]
    assert lost == {
        "peer": "p01",
        "reason": "killed",
        "round": lost["round"],
        "planned": False,
        "host": "",
    }
    assert 1 <= lost["round"] < 12
    assert out.startswith("prisam on net: 5 of 6 peers ran 12 rounds in ")
    assert f"; 1 lost: p01 (killed, round {lost['round']})\n" in out
    assert ": 5/6 peers, 1 lost, round 12/12, " in err  # p01 does not hold it back
    for peer in ("p00", "p02", "p03", "p04", "p05"):
        last = [x for x in journal(run, peer) if x["record"] == "heard"][-1]
        assert last["missing"] == {"p01": "connection closed"}
        assert last["waited_s"] < 30
        lost = [x["reason"] for x in journal(run, peer) if x["record"] == "pull_failed"]
        assert set(lost) <= {"connection closed"}  # at once, not after a timeout


def test_a_peer_beyond_its_memory_says_so_and_the_others_complete(tmp_path):
    text = SMALL.replace('["fast"]', '["fast"]\nexceptions = { p02 = "tiny" }')
    text = text.replace("[run]", "[run]\nimage_size = 64\nbatch_size = 24")
    run = tmp_path / "run"
    code, _, err = launch(
        topology(tmp_path, text, tiny=FAST + "memory_mib = 4\n"), "--run-dir", run, "--quiet"
    )
    assert code == 4
    assert "p02 out-of-memory" in err
    event = next(x for x in journal(run, "p02") if x["record"] == "memory_exceeded")
    assert event["asked_mib"] == 4
    summary = json.loads((run / "summary.json").read_text())
    assert summary["peers"]["p02"]["budgets"]["memory_mib"]["exceeded"]
    assert summary["lost"] == [
        {"peer": "p02", "reason": "out of memory", "round": 0, "planned": False, "host": ""}
    ]
    done = [p for p, result in summary["peers"].items() if result["state"] == "completed"]
    assert done == [p for p in PEERS if p != "p02"]
