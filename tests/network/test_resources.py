"""A machine that runs out of what a run needs: one line, exit code 6, and a readable rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
from launching import (
    ROOT,
    alive,
    asked,
    family,
    journal,
    launch,
    launcher,
    paced,
    peer_pids,
    prisam,
    round_done,
    topology,
    wait_for,
)

pytestmark = pytest.mark.network

RING = """
[peers]
count = 4
profiles = ["fast"]
[links]
generator = "ring"
[run]
rounds = 3
groups = 2
images_per_peer = 24
"""
QUIET = ("--quiet", "--force")  # what the preflight check would foresee happens after all
LAUNCH = ROOT / "launch.py"
PEERS = [f"p0{i}" for i in range(4)]


def summary(run):
    return json.loads((run / "summary.json").read_text())


@contextmanager
def small_disk(folder, kib):
    """Mount a file system of `kib` KiB in `folder`."""
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this machine does not let its root mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def ended_well(run, code, err):
    """Assert what holds of every run that the machine could not bear; return its one line."""
    assert code == 6, err
    (line,) = lines_of(err)
    assert line.startswith("error: ")
    assert not alive([*peer_pids(run).values()])
    assert not [*run.rglob("*.part")]
    code, out = asked("summary", run)
    assert code == 0, out
    assert "Traceback" not in err + out
    return line


def lines_of(err):
    """Return what was printed besides the note that the run does not fit."""
    return [line for line in err.splitlines() if "does not fit on this machine" not in line]


# At these sizes the disk is full at the first peers' journals, the kernel's figures and the states.
@pytest.mark.parametrize("kib", [20, 36])
def test_a_full_disk_ends_the_run_with_one_line(tmp_path, kib):
    net = topology(tmp_path, RING)
    with small_disk(tmp_path / "disk", kib) as disk:
        run = disk / "run"
        code, _, err = launch(net, "--run-dir", run, *QUIET)
        line = ended_well(run, code, err)
        assert "No space left on device; " in line
        assert "free space there" in line
        assert str(run) in line
        for path in (run / "journal").glob("*.jsonl"):
            assert path.read_bytes()[-1:] in (b"", b"\n")


def launched_without_room_for_models(net, disk):
    """Launch until all peers are lost; return the run folder.

    A model that is half written fills the disk for a moment, in which the launcher's own journal
    may find no room. Then that run is stopped, rightly, and another one is launched.
    """
    for attempt in range(5):
        run = disk / f"run-{attempt}"
        code, _, err = launch(net, "--run-dir", run, *QUIET)
        line = ended_well(run, code, err)
        if "4 of 4 peers were lost, p00, p01, p02, p03: " in line:
            return run
        assert "/journal/" in line
        assert "the run was stopped" in line
        shutil.rmtree(run)
    raise AssertionError("five runs were stopped for want of room for the launcher's journal")


def test_peers_without_room_are_named_and_the_run_goes_on_when_there_is_some(tmp_path):
    net = topology(tmp_path, RING)
    with small_disk(tmp_path / "disk", 900) as disk:  # enough for all but the models
        run = launched_without_room_for_models(net, disk)
        refused = [x for x in journal(run, "launcher") if x["record"] == "peer_refused"]
        assert {x["peer"]: x["what"] for x in refused} == {
            peer: str(run / "models" / f"{peer}.safetensors") for peer in PEERS
        }
        states = {peer: x["state"] for peer, x in summary(run)["peers"].items()}
        assert [*states] == PEERS
        assert all(x.startswith("lost: ") and "No space left" in x for x in states.values())
        assert summary(run)["status"] == "failed"
        code, out = prisam("resume", run, *QUIET)
        # still too small: for the models, or, by now, for the launcher's journal
        assert "No space left on device" in ended_well(run, code, out)
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        code, out = prisam("resume", run, "--quiet")
        assert code == 0, out
        assert summary(run)["status"] == "completed"


def test_a_disk_without_room_for_the_plan_starts_nothing_and_keeps_nothing(tmp_path):
    net = topology(tmp_path, RING)
    with small_disk(tmp_path / "disk", 4) as disk:
        code, _, err = launch(net, "--run-dir", disk / "run", *QUIET)
        assert (code, len(lines_of(err))) == (6, 1)
        assert "plan.json: No space left on device" in err
        assert not (disk / "run").exists()


def test_a_run_folder_that_is_removed_ends_the_run(tmp_path):
    run = tmp_path / "run"
    text = paced(RING.replace("rounds = 3", "rounds = 500"))
    with launcher(topology(tmp_path, text), "--run-dir", run, *QUIET) as process:
        wait_for("first round", round_done(run, PEERS, 0))
        pids = family(process.pid)
        shutil.rmtree(run, ignore_errors=True)  # the peers write their states meanwhile
        _, err = process.communicate(timeout=90)
    assert process.returncode == 6
    assert lines_of(err) == [
        f"error: {run}/journal/launcher.jsonl: it was removed or moved while the run wrote to it; "
        "the run was stopped; leave the folder alone until the run ends"
    ]
    assert not alive(pids)


def test_a_peer_without_a_journal_ends_itself_and_the_others_go_on(tmp_path):
    run = tmp_path / "run"
    text = RING.replace("rounds = 3", "rounds = 15")
    with launcher(topology(tmp_path, text), "--run-dir", run, *QUIET) as process:
        wait_for("first round", round_done(run, PEERS, 0))
        (run / "journal" / "p02.jsonl").unlink()
        _, err = process.communicate(timeout=90)
    assert "1 of 4 peers were lost, p02: " in ended_well(run, process.returncode, err)
    (refused,) = [x for x in journal(run, "launcher") if x["record"] == "peer_refused"]
    assert (refused["peer"], refused["what"]) == ("p02", str(run / "journal" / "p02.jsonl"))
    peers = summary(run)["peers"]
    assert {peer for peer in PEERS if peers[peer]["state"] == "completed"} == {"p00", "p01", "p03"}
    assert [lost["peer"] for lost in summary(run)["lost"]] == ["p02"]


def test_a_process_that_cannot_be_forked_ends_the_run(tmp_path):
    """Root is exempt from the limit, so another user runs it, with root's right to read."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can become a user that runs nothing yet, by setpriv")
    tmp_path.chmod(0o777)
    run, net = tmp_path / "run", topology(tmp_path, RING)
    rights = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    user = ["setpriv", "--reuid", "54321", "--clear-groups", *rights]
    command = [*user, "bash", "-c", 'ulimit -u 6; exec "$@"', "-", sys.executable, LAUNCH]
    done = subprocess.run(
        [*command, net, "--run-dir", run, *QUIET], capture_output=True, text=True, check=False
    )
    line = ended_well(run, done.returncode, done.stderr)
    assert "processes: Resource temporarily unavailable; raise the limit of processes" in line
    assert summary(run)["status"] == "failed"


def test_a_folder_that_is_read_only_is_refused_before_anything_starts(tmp_path):
    net = topology(tmp_path, RING)
    with small_disk(tmp_path / "disk", 1000) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, _, err = launch(net, "--run-dir", disk / "run", *QUIET)
    assert (code, len(lines_of(err))) == (2, 1)
    assert "expected a folder that can be made: Read-only file system" in err
