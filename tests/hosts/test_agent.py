"""A host agent, driven over its real line: real processes, and what is left when it ends."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import zmq
from agent_launcher import AgentLauncher, await_peers, begin, order_peer, specs_of, start
from launching import alive, topology, wait_for

from prisam_p2p.control.messages import (
    Exit,
    PeerDone,
    ProcessUp,
    Ready,
    Roster,
    RosterEntry,
    StartRounds,
)
from prisam_p2p.hosts import messages
from prisam_p2p.shipped import CHILD_PYTHON, child_environment
from prisam_p2p.transport.curve_line import LineClient

TWO = """
[peers]
count = 2
profiles = ["fast"]
[links]
generator = "full"
[run]
rounds = 2
groups = 1
images_per_peer = 24
"""
LEASE_S = 6.0
GONE_S = 30.0
_Z85 = re.compile(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40,}")


class Host:
    """An agent, its launcher, and what it runs."""

    def __init__(self, launcher, temporary, prepared, specs):
        self.launcher, self.temporary = launcher, temporary
        self.prepared, self.specs = prepared, specs
        self.up = launcher.await_report(messages.AgentUp)[0]
        self.started, self.public = {}, {}

    def begin(self, gpus=None, **how):
        begin(self.launcher, self.prepared, self.specs, **how)
        self.started, self.public = start(self.launcher, self.specs, gpus)

    @property
    def numbers(self):
        return [number for number, _ in self.started.values()]

    def processes(self):
        """The pids of the agent and of all that it has started."""
        return [self.up.pid, *(p.pid for p in psutil.Process(self.up.pid).children(recursive=True))]

    def folders(self):
        return list(self.temporary.iterdir())


@pytest.fixture
def host_of(tmp_path):
    """Return what starts an agent for a run of two peers with some settings; it has not begun."""
    made = []

    def make(**settings):
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        specs = specs_of(topology(tmp_path, TWO), **settings)
        made.append(specs)
        launcher = AgentLauncher(temporary, gpus="4,7")
        made.append(closing(launcher))
        return Host(launcher, temporary, *specs.__enter__())

    yield make
    for each in reversed(made):
        each.__exit__(None, None, None)


@pytest.fixture
def host(host_of):
    return host_of()


def run_to_the_end(host):
    """Let the two peers meet and run their rounds, and end the run."""
    launcher, started = host.launcher, host.started
    up = await_peers(launcher, ProcessUp, host.numbers)
    entries = {
        spec.peer_id: RosterEntry(
            spec.peer_id,
            spec.address,
            up[started[spec.peer_id][0]].port,
            0,
            host.public[spec.peer_id],
        )
        for spec in host.specs
    }
    for spec in host.specs:
        others = tuple(entries[n] for n in spec.neighbors)
        order_peer(launcher, started[spec.peer_id][0], Roster(1, others))
    await_peers(launcher, Ready, host.numbers)
    endpoints = tuple(f"{each.address}:{each.port}" for each in entries.values())
    launcher.send(messages.RoutersKnown(endpoints))
    for number in host.numbers:
        order_peer(launcher, number, StartRounds())
    done = await_peers(launcher, PeerDone, host.numbers)
    assert {each.state for each in done.values()} == {"completed"}


def end(host):
    launcher = host.launcher
    for number in host.numbers:
        order_peer(launcher, number, Exit())
    assert [launcher.await_report(messages.ProcessExited)[0].code for _ in host.numbers] == [0, 0]
    launcher.send(messages.EndRun())
    launcher.await_report(messages.AgentEnded)
    assert launcher.await_loss() == "the agent ended with exit code 0"


@pytest.mark.network
@pytest.mark.parametrize("how", ["zygote", "spawn"])
def test_peers_run_on_a_host_and_their_files_come(host_of, how):
    host = host_of(start=how)
    assert host.up.gpus == ("4", "7")
    host.begin(gpus={"p00": "7"})
    run_to_the_end(host)
    if how == "spawn":  # the kernel shows what a process was started with, not what it set later
        assert [visible_gpus(pid) for _, pid in host.started.values()] == ["7", ""]
    assert secrets_in(host, host.processes()) == []
    end(host)
    files = host.launcher.files
    for spec in host.specs:
        finished = host.launcher.records(spec.peer_id)[-1]
        assert (finished["record"], finished["rounds"]) == ("finished", 2)
        assert {f"state/{spec.peer_id}.safetensors", f"models/{spec.peer_id}.safetensors"} <= {
            *files
        }
    assert host.launcher.records("kernel-h1")[-1]["record"] == "watch"
    assert host.folders() == []


def visible_gpus(pid):
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    [value] = [each for each in environment if each.startswith(b"CUDA_VISIBLE_DEVICES=")]
    return value.partition(b"=")[2].decode()


def secrets_in(host, pids):
    """Return where something holds a secret key of a peer, the agent's or the launcher's own.

    Nobody here knows the secret keys: but a secret key leads to its public key.
    """
    known = {key.encode() for key in host.public.values()} | {
        host.launcher.server.public_key.encode(),
        host.launcher.hello_key.encode(),
    }
    places = [path for path in host.temporary.rglob("*") if path.is_file()]
    places += [Path(f"/proc/{pid}/{name}") for pid in pids for name in ("cmdline", "environ")]
    held = {place: place.read_bytes() for place in places}
    assert any(host.launcher.server.public_key.encode() in data for data in held.values())
    return [
        place
        for place, data in held.items()
        for found in _Z85.findall(data)
        for at in range(len(found) - 39)
        if zmq.curve_public(found[at : at + 40]) in known
    ]


def close_input(host):
    host.launcher.agents.end(GONE_S)


def stop(host):
    os.kill(host.up.pid, signal.SIGSTOP)


def kill(host):
    os.kill(host.up.pid, signal.SIGKILL)


def terminate(host):
    os.kill(host.up.pid, signal.SIGTERM)


def order_to_die(host):
    host.launcher.send(messages.Die())


def fall_silent(host):
    host.launcher.answers = False


def close_line(host):
    host.launcher.close_line()


@pytest.mark.network
@pytest.mark.parametrize(
    "act", [close_input, kill, stop, terminate, order_to_die, fall_silent, close_line]
)
def test_nothing_is_left_however_an_agent_ends(host_of, act):
    host = host_of(start="zygote" if act in (kill, stop) else "spawn")  # spawn is the faster one
    host.begin(lease_s=LEASE_S)
    agent, *others = host.processes()
    assert len(others) == 3  # the zygote, and two peers
    act(host)

    def gone():
        if act is not close_line:
            host.launcher.look(0.0)
        return not alive(others)

    wait_for("end of the zygote and the peers", gone, LEASE_S + GONE_S)
    if act is stop:
        assert alive([agent])
        os.kill(agent, signal.SIGCONT)  # its lease is over, and it knows
    wait_for("end of the agent", lambda: not alive([agent]), GONE_S)
    if act not in (kill, order_to_die):  # the next agent removes theirs
        assert host.folders() == []


@pytest.mark.network
def test_a_signal_and_acts_take_effect_and_are_told(host):
    host.begin()
    launcher, (number, pid) = host.launcher, host.started["p00"]
    launcher.send(messages.SignalProcess(number, signal.SIGSTOP))
    assert launcher.await_report(messages.ProcessStopped)[0] == messages.ProcessStopped(
        number, True
    )
    launcher.send(messages.SignalProcess(number, signal.SIGCONT))
    assert not launcher.await_report(messages.ProcessStopped)[0].stopped
    launcher.send(messages.ActOn(number, "limit-memory", 64.0))
    evidence = launcher.await_report(messages.ActDone)[0].evidence
    limit = psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)[0]
    assert evidence == {"limit_mib": limit / 2**20}
    launcher.send(messages.ActOn(number, "throttle", 0.5))
    launcher.await_report(messages.ActDone)
    launcher.await_report(messages.Samples)  # a second or two
    launcher.send(messages.ActOn(number, "end-throttle"))
    figures = launcher.await_report(messages.ActDone)[0].evidence
    assert 0 < figures["suspended_s"] < figures["watched_s"]
    launcher.send(messages.SignalProcess(number, signal.SIGKILL))
    gone = launcher.await_report(messages.ProcessExited)[0]
    assert gone == messages.ProcessExited(number, -signal.SIGKILL)
    launcher.send(messages.EndRun())  # the other one is killed
    launcher.await_report(messages.AgentEnded)
    assert launcher.await_loss() == "the agent ended with exit code 0"


@pytest.mark.network
def test_the_end_of_the_zygote_is_told(host):
    host.begin()
    zygote = psutil.Process(host.up.pid).children()[0]
    zygote.kill()
    refused = host.launcher.await_report(messages.Refused)[0]
    assert (refused.what, refused.reason) == ("zygote", "it ended before the run did")
    assert host.launcher.await_loss().startswith("the agent ended with exit code 3")
    assert host.folders() == []


@pytest.mark.network
def test_a_disk_that_takes_no_more_is_told(host):
    resource.prlimit(host.up.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    with pytest.raises(AssertionError, match="Refused"):
        host.begin()
    told = host.launcher.refusal
    assert (told.what, told.reason) == (str(host.temporary), "File too large")
    assert told.to_do.startswith("raise the limit of file sizes (ulimit -f)")
    assert host.launcher.await_loss().startswith("the agent ended with exit code 6")
    assert host.folders() == []


@pytest.mark.network
def test_a_start_that_the_system_refuses_is_told_and_the_agent_goes_on(host_of):
    host = host_of(start="spawn")
    begin(host.launcher, host.prepared, host.specs)
    zygote = psutil.Process(host.up.pid).children()[0]
    soft, hard = zygote.rlimit(psutil.RLIMIT_NOFILE)
    zygote.rlimit(psutil.RLIMIT_NOFILE, (3, hard))  # the end of the control line is one too many
    with pytest.raises(AssertionError, match=rf"StartRefused\(number=101, errno={errno.EMFILE}\)"):
        start(host.launcher, host.specs)
    zygote.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
    start(host.launcher, host.specs)


@pytest.mark.network
def test_a_stranger_gets_no_answer(host):
    with closing(LineClient()) as stranger:
        stranger.connect("127.0.0.1", host.launcher.server.port, host.launcher.server.public_key)
        stranger.send([b"{}", b""])
        wait_for(
            "refusal",
            lambda: host.launcher.look(0.0) or host.launcher.server.strangers,
            GONE_S,
        )
        assert not stranger.is_up


def test_an_agent_and_its_launcher_side_import_no_torch():
    code = "import sys, prisam_p2p.hosts.agent; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [*CHILD_PYTHON, "-c", code], env=child_environment(), timeout=GONE_S, check=False
    )
    assert done.returncode == 0


def test_it_says_what_it_is_not_given():
    done = agent_with("--host", "h1")
    assert done.returncode == 2
    assert "the following arguments are required: --launcher, --launcher-key" in done.stderr


def test_a_key_may_begin_as_an_option_does():
    """One of 85 does. Its input is at its end, so it greets and ends."""
    key = "-" + "0" * 39
    done = agent_with("--host", "h1", "--launcher", "127.0.0.1:9", "--launcher-key", key)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["host"] == "h1"


def test_without_a_pipe_to_live_by_it_ends_at_once():
    given = ("--host", "h1", "--launcher", "127.0.0.1:9", "--launcher-key", "0" * 40)
    command = [*CHILD_PYTHON, "-m", "prisam_p2p.hosts.agent", *given]
    done = subprocess.run(
        command,
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GONE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def agent_with(*arguments):
    return subprocess.run(
        [*CHILD_PYTHON, "-m", "prisam_p2p.hosts.agent", *arguments],
        env=child_environment(),
        input="",
        capture_output=True,
        text=True,
        timeout=GONE_S,
        check=False,
    )
