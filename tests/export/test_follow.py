"""A run that TensorBoard can look at while it goes on."""

import subprocess

import numpy as np
import pytest
from growing_run import GrowingRun
from hand_runs import PEERS
from launching import DEADLINE_S, FAST, SMALL, journal, launcher, topology, wait_for

from prisam_p2p.export.follow import Follower
from prisam_p2p.export.reading import exported_run
from prisam_p2p.launch.tracker_log import logging_to
from prisam_p2p.shipped import CHILD_PYTHON, child_environment

pytestmark = pytest.mark.sinks
MEAN = "accuracy/aggregated/mean"


@pytest.fixture
def run(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra `tensorboard`)")
    run = GrowingRun(tmp_path / "run")
    for peer in PEERS:
        run.add(peer, "started", peer=peer, pid=1, incarnation=0)
    yield run
    run.die()


def read(path):
    """Return (tag, round, value) of all scalars, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path / "export" / "tensorboard"), {"scalars": 0}).Reload()
    tags = events.Tags()["scalars"]
    return sorted((tag, e.step, e.value) for tag in tags for e in events.Scalars(tag))


def exported(path):
    """Return what `read` should be: TensorBoard keeps numbers of 32 bits."""
    points = exported_run(path).points
    return sorted((p.tag, p.round, float(np.float32(p.value))) for p in points)


def means(path):
    return {at: round(value, 6) for tag, at, value in read(path) if tag == MEAN}


def test_a_round_shows_when_it_is_over_for_all_and_the_end_is_the_exports(run):
    follower = Follower(run.path)
    for peer in PEERS:
        run.evaluate(peer, 0)
    follower.look()
    assert means(run.path) == {}
    for peer in PEERS[:-1]:
        run.evaluate(peer, 1, 0.75)
    follower.look()
    assert means(run.path) == {}
    run.evaluate(PEERS[-1], 1, 0.75)
    follower.look()
    assert means(run.path) == {0: 0.5}
    follower.look()
    run.end()
    follower.finish()
    assert means(run.path) == {0: 0.5, 1: 0.75}
    assert read(run.path) == exported(run.path)
    assert len(list((run.path / "export" / "tensorboard").glob("*tfevents*"))) == 1


def test_a_peer_that_comes_back_changes_what_was_written_without_it(run):
    follower = Follower(run.path)
    for at in (0, 1):
        for peer in PEERS[:-1]:
            run.evaluate(peer, at)
    run.add("launcher", "peer_ended", peer=PEERS[-1], pid=1, exit_code=-9)
    follower.look()
    assert means(run.path) == {0: 0.5}
    for at in (0, 1):
        run.evaluate(PEERS[-1], at, 0.8)
    run.end()
    follower.finish()
    assert means(run.path) == {0: 0.6, 1: 0.6}
    assert read(run.path) == exported(run.path)


def test_a_run_that_goes_on_after_its_end_is_written_anew(run):
    for launched in range(2):
        follower = Follower(run.path)
        for peer in PEERS:
            run.evaluate(peer, launched)
        follower.look()
        follower.finish()
        assert read(run.path) == exported(run.path)


def test_a_run_that_never_begins_leaves_nothing(tmp_path):
    follower = Follower(tmp_path / "run")
    follower.look()
    follower.finish()
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_a_launcher_that_is_killed_and_has_what_there_was(run):
    program = (
        "import time; from pathlib import Path; "
        "from prisam_p2p.launch.tracker_log import logging_to\n"
        f"with logging_to(Path({str(run.path)!r}), 'tensorboard'): time.sleep(600)"
    )
    for at in (0, 1):
        for peer in PEERS:
            run.evaluate(peer, at)
    with subprocess.Popen(
        [*CHILD_PYTHON, "-c", program], stderr=subprocess.PIPE, text=True, env=child_environment()
    ) as launcher:
        assert "tensorboard --logdir" in launcher.stderr.readline()
        launcher.kill()
    place = run.path / "export" / "tensorboard"
    written = {0: 0.5, 1: 0.5}
    wait_for("its end", lambda: place.exists() and means(run.path) == written, 60.0)


def test_what_goes_wrong_is_told_and_the_run_goes_on(run, capsys):
    place = run.path / "export" / "tensorboard"
    place.mkdir(parents=True)
    (place / "thesis.tex").touch()
    for at in (0, 1):
        for peer in PEERS:
            run.evaluate(peer, at)
    with logging_to(run.path, "tensorboard"):
        pass
    told = capsys.readouterr().err.splitlines()
    assert "tensorboard has not all of the run: --log-to = " in told[1]
    assert [each.name for each in place.iterdir()] == ["thesis.tex"]


@pytest.mark.network
def test_a_launch_is_logged_while_it_runs(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (extra `tensorboard`)")
    path, rounds = tmp_path / "run", 60  # it goes on for seconds after the first is in the log
    long = SMALL.replace("rounds = 3", f"rounds = {rounds}")
    words = [topology(tmp_path, long, fast=FAST), "--run-dir", path, "--log-to", "tensorboard"]
    with launcher(*words) as process:
        try:
            place = path / "export" / "tensorboard"
            wait_for("a round in the log", lambda: place.exists() and means(path))
            assert "run_ended" not in {line["record"] for line in journal(path, "launcher")}
            _, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert f"log: tensorboard --logdir {path}" in err
    assert means(path).keys() == set(range(rounds))
    assert read(path) == exported(path)
