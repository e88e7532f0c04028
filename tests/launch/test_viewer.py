"""The launcher's viewer: it gives an address, ends with the launcher, and is no reason to fail."""

import os
import signal
import socket
import subprocess
import time
from urllib.parse import urlsplit

import httpx
import pytest
from growing_run import GrowingRun
from launching import journal, wait_for

from prisam_p2p.launch import viewer as viewer_module
from prisam_p2p.launch.viewer import noting_views, viewer_of
from prisam_p2p.measure.journal import Journal
from prisam_p2p.shipped import CHILD_PYTHON, child_environment


@pytest.fixture
def run(tmp_path):
    run = GrowingRun(tmp_path / "run")
    yield run
    run.die()


def address_in(text):
    [line] = [line for line in text.splitlines() if line.startswith("view: ")]
    address = line.removeprefix("view: ")
    assert address.startswith("http://"), line
    return address


def answers(address):
    """Tell whether something listens at an address."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", urlsplit(address).port)) == 0


def test_it_shows_the_run_while_the_launcher_holds_it_and_ends_then(run, capsys):
    with viewer_of(run.path, is_wanted=True) as viewer:
        address = address_in(capsys.readouterr().err)
        with httpx.Client(follow_redirects=True, timeout=60) as client:
            assert 'id="data"' in client.get(address).text
        assert viewer.is_there
    assert not viewer.is_there
    assert not answers(address)


def test_without_the_wish_there_is_none(run, capsys):
    with viewer_of(run.path, is_wanted=False) as viewer:
        assert viewer is None
    assert capsys.readouterr().err == ""


def test_it_ends_with_a_launcher_that_is_killed(run):
    program = (
        "import time; from pathlib import Path; from prisam_p2p.launch.viewer import viewer_of\n"
        f"with viewer_of(Path({str(run.path)!r}), True): time.sleep(600)"
    )
    with subprocess.Popen(
        [*CHILD_PYTHON, "-c", program],
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    ) as launcher:
        address = address_in(launcher.stderr.readline())
        assert answers(address)
        launcher.kill()
    wait_for("end of the viewer", lambda: not answers(address), 60.0)


def test_one_that_cannot_start_is_told_and_the_run_goes_on(run, capsys, monkeypatch):
    monkeypatch.setattr(viewer_module, "_MODULE", "prisam_p2p.no_such_room")
    with viewer_of(run.path, is_wanted=True) as viewer:
        assert viewer is None
    told = capsys.readouterr().err
    assert told.startswith("view: there is no page: ")
    assert "no_such_room" in told


@pytest.mark.parametrize("killed", [False, True])
def test_the_journal_says_from_when_to_when_it_was_there(run, tmp_path, killed):
    began_s = time.monotonic()
    (tmp_path / "journal").mkdir()
    with (
        viewer_of(run.path, is_wanted=True) as viewer,
        Journal(tmp_path / "journal" / "launcher.jsonl", began_s) as written,
    ):
        with noting_views(viewer, written, began_s):
            if killed:
                os.kill(viewer.pid, signal.SIGKILL)
                wait_for("end of the viewer", lambda: not viewer.is_there, 60.0)
        now_s = time.monotonic() - began_s
    first, *rest = journal(tmp_path, "launcher")
    assert (first["record"], first["to_s"]) == ("watched", None)
    assert len(rest) == (0 if killed else 1)
    for last in rest:
        assert last["from_s"] == first["from_s"]
        assert first["from_s"] <= last["to_s"] <= now_s
