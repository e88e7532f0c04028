"""Launchers of tests are forks of a warm process, and act as fresh interpreters do."""

import os
import signal

from launching import launch, topology
from warm_process import WarmProcess


def test_a_fork_ends_as_a_fresh_interpreter_does(tmp_path, monkeypatch):
    (tmp_path / "net-of-mine.toml").touch()
    monkeypatch.chdir(tmp_path)
    words = ("net-of-min.toml", "--run-dir", "run")
    code, out, err = launch(*words)
    assert (code, out, "net-of-mine.toml" in err) == (2, "", True)  # found in this directory
    assert launch(*words, fresh=True) == (code, out, err)


def test_it_has_a_session_and_a_signal_that_ends_it_is_told(tmp_path):
    with WarmProcess("main", "prisam", ["plan", str(topology(tmp_path))]) as process:
        os.kill(process.pid, signal.SIGSTOP)  # so that it is not over before
        session, code = os.getsid(process.pid), process.poll()
        process.kill()
        assert (session, code) == (process.pid, None)
        assert process.wait(60) == -signal.SIGKILL
        assert process.communicate() == ("", "")
