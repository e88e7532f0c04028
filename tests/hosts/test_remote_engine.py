"""The engine of processes on several hosts, with agents that are played by hand."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hand_agents import HandHostEngine
from spec_of_a import spec_of_a

from prisam_p2p.control.spec import Incarnation
from prisam_p2p.errors import LaunchError, ResourceError
from prisam_p2p.hosts import agents_of_run, messages
from prisam_p2p.hosts.agents_of_run import AgentsOfRun
from prisam_p2p.hosts.collection import CollectedFiles
from prisam_p2p.hosts.remote_engine import RemoteEngine
from prisam_p2p.plan.host_room import PeerNeeds
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.processes.engine import HostGone, ProcessExit, StartedProcess
from prisam_p2p.settings import EngineName, OnHostLoss, Placement

_DEADLINE_S = 60.0


class _Run:
    """A run on h1 (a, b) and h2 (c), whose images are three bytes."""

    def __init__(self, folder: Path, lease_s: float = 10.0) -> None:
        for name in ("journal", "logs", "models", "state"):
            (folder / name).mkdir()
        self.folder, self.failures = folder, list[OSError]()
        self.hosts = HandHostEngine(["h1", "h2"])
        plan = HostsPlan(
            engine=EngineName.LOCAL,
            policy=Placement.SPREAD,
            lease_s=lease_s,
            on_host_loss=OnHostLoss.LOST,
            hosts={offer.name: offer for offer in self.hosts.offers()},
            needs=dict.fromkeys("abc", PeerNeeds(cores=1.0, gpu=0.0)),
            placement={"a": "h1", "b": "h1", "c": "h2"},
            gpus={"c": (1,)},
        )
        files = CollectedFiles(folder, self.failures.append)
        self.there = AgentsOfRun(self.hosts, plan, folder, files, stall_timeout_s=5.0)
        self.engine = RemoteEngine(self.there, stall_timeout_s=5.0)
        self.engine.on_wait = self.hosts.turn

    def begin(self) -> None:
        self.there.start_agents()
        self.prepare()

    def prepare(self) -> None:
        (self.folder / "images").write_bytes(b"img")
        with (self.folder / "images").open("rb") as images:
            self.there.prepare(_begin, images.fileno())

    def start(self, peer: str = "a") -> StartedProcess:
        return self.engine.start(spec_of_a(self.folder, peer_id=peer), Incarnation())

    def until(self, done: Callable[[], object]) -> None:
        """Let agents and engine do what is due until `done`."""
        deadline = time.monotonic() + _DEADLINE_S
        self.exits = list[ProcessExit]()
        while not done():
            assert time.monotonic() < deadline, "not done in time"
            self.hosts.turn()
            self.exits += self.engine.exits()


def _begin(host: str, cores: int) -> messages.BeginRun:
    return messages.BeginRun(
        "00" * 8, host, "127.0.0.1", 3, 0.0, {}, False, 10, (1, 8, 8), "float32", {}, cores, 10.0
    )


@pytest.fixture
def run(tmp_path: Path) -> Iterator[_Run]:
    run = _Run(tmp_path)
    yield run
    for agent in run.hosts.agents.values():
        agent.is_mute = False
    run.engine.on_wait = run.hosts.turn
    if not run.hosts.closed:
        _close(run)


def _close(run: _Run) -> None:
    """Close the engine, while the agents obey."""
    rest = run.there._lines.rest
    run.there._lines.rest = lambda s: (run.hosts.turn(), rest(s))  # nobody else plays them now
    run.engine.close()


def test_hosts_are_made_ready_in_order(run):
    ups = run.there.start_agents()
    assert sorted((up.host, up.node, up.address, up.mtu) for up in ups) == [
        ("h1", "node-h1", "127.77.9.1", 1500),
        ("h2", "node-h2", "127.77.9.2", 1500),
    ]
    (run.folder / "state" / "a.safetensors").write_bytes(b"state of a")
    run.prepare()
    h1, h2 = run.hosts.agents.values()
    assert [type(order) for order in h1.told] == [messages.BeginRun, messages.Prepare]
    assert h1.files == {"data": b"img", "state/a.safetensors": b"state of a"}
    assert h2.files == {"data": b"img"}


def test_each_host_makes_the_keys_of_its_own_peers(run):
    run.begin()
    assert run.there.make_keys(["a", "b", "c"]) == {
        "a": "key of a at h1",
        "b": "key of b at h1",
        "c": "key of c at h2",
    }
    (order,) = run.hosts.agents["h2"].of_kind(messages.MakeKeys)
    assert order.peers == ("c",)


def test_a_key_of_another_host_s_peer_is_not_taken(run):
    run.begin()
    theirs = run.hosts.agents["h2"].answers
    theirs[messages.MakeKeys] = lambda _: [messages.KeysMade({"a": "mine now", "c": "mine"})]
    keys = run.there.make_keys(["a", "c"])
    assert keys == {"a": "key of a at h1", "c": "mine"}


def test_processes_have_numbers_and_gpus_of_their_hosts(run):
    run.begin()
    first, second = run.start("a"), run.start("c")
    assert [(p.number, p.pid, p.host) for p in (first, second)] == [
        (1, 1001, "h1"),
        (2, 1002, "h2"),
    ]
    (order,) = run.hosts.agents["h1"].of_kind(messages.StartProcess)
    assert order.gpu is None
    (order,) = run.hosts.agents["h2"].of_kind(messages.StartProcess)
    assert order.gpu == "1"


def test_a_control_line_carries_bytes_both_ways_and_ends_after_the_last(run):
    run.begin()
    process, agent = run.start(), run.hosts.agents["h1"]
    process.line.send_line(b"order\n")
    run.until(lambda: agent.of_kind(messages.LineBytes))
    agent.report(messages.LineBytes(process.number), b"report 1\nrep")
    agent.report(messages.LineBytes(process.number), b"ort 2\n")
    agent.report(messages.LineClosed(process.number))
    agent.report(messages.ProcessExited(process.number, -9))
    heard, ends = list[bytes](), list[bool]()

    def is_over() -> bool:
        while not ends and process.line.waiting():
            lines = process.line.receive_lines()
            heard.extend(lines or ())
            if lines is None:
                ends.append(True)
        return bool(ends and run.exits)

    run.until(is_over)
    assert heard == [b"report 1", b"report 2"]
    assert run.exits == [ProcessExit(process.number, -9)]


def test_a_line_that_the_launcher_closes_is_closed_at_the_process(run):
    run.begin()
    process = run.start()
    process.line.line.close()
    run.until(lambda: run.hosts.agents["h1"].of_kind(messages.LineClosed))


def test_what_a_host_says_of_another_s_process_is_not_heard(run):
    run.begin()
    process = run.start("a")
    run.hosts.agents["h2"].report(messages.ProcessExited(process.number, 1))
    run.hosts.agents["h2"].report(messages.LineBytes(process.number), b"forged\n")
    run.hosts.agents["h1"].report(messages.Samples(((process.number, 5),)))
    run.until(lambda: run.engine.samples())
    assert run.exits == []
    assert not process.line.waiting()


def test_signals_and_acts_go_to_the_process_s_host(run):
    run.begin()
    process = run.start("c")
    run.engine.signal(process.number, signal.SIGSTOP)
    run.engine.acts.limit_memory(process.number, 8.0)
    agent = run.hosts.agents["h2"]
    run.until(lambda: agent.of_kind(messages.ActOn))
    assert agent.of_kind(messages.SignalProcess) == [messages.SignalProcess(1, signal.SIGSTOP)]
    assert agent.of_kind(messages.ActOn) == [messages.ActOn(1, "limit-memory", 8.0)]
    agent.report(messages.ProcessStopped(1, True))
    run.until(lambda: run.engine.acts.is_stopped(1))


def test_a_refused_start_is_the_system_s_error(run):
    run.begin()
    answers = run.hosts.agents["h1"].answers
    answers[messages.StartProcess] = lambda order: [messages.StartRefused(order.number, 11)]
    with pytest.raises(BlockingIOError):
        run.start()


def test_a_start_that_is_not_answered_names_the_host(tmp_path):
    run = _Run(tmp_path)
    run.begin()
    run.engine._stall_timeout_s = 0.2
    run.hosts.agents["h1"].answers.pop(messages.StartProcess)
    with pytest.raises(LaunchError, match=r"agent of h1: did not start a within 0.2 s"):
        run.start()
    _close(run)


def test_a_host_that_does_not_report_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(agents_of_run, "_UP_S", 0.3)
    run = _Run(tmp_path)
    run.hosts.silent.add("h2")
    with pytest.raises(LaunchError, match=r"agents of h2: did not report within 0.3 s"):
        run.there.start_agents()
    run.engine.close()
    assert run.hosts.closed


def test_an_agent_that_ends_before_the_run_begins_fails_the_launch(tmp_path):
    run = _Run(tmp_path)
    run.hosts.silent.add("h2")
    run.hosts.gone.append(("h2", "exit code 1: no module named prisam_p2p"))
    with pytest.raises(LaunchError, match=r"agent of h2 \(node-h2\): exit code 1: no module"):
        run.there.start_agents()
    run.engine.close()


def test_a_host_that_is_refused_something_says_what(tmp_path):
    run = _Run(tmp_path)
    run.there.start_agents()
    refused = messages.Refused("/tmp", "No space left on device", "free space there")
    run.hosts.agents["h2"].answers[messages.Prepare] = lambda _: [refused]
    with pytest.raises(LaunchError, match="h2: /tmp: No space left on device"):
        run.prepare()
    _close(run)


def test_a_refusal_before_the_run_is_the_launcher_s_own(tmp_path):
    run = _Run(tmp_path)
    run.hosts.silent.add("h1")  # so that it is waited for
    refused = messages.Refused("open files", "Too many open files", "raise the limit")
    start = run.hosts.start
    run.hosts.start = lambda *given: (start(*given), run.hosts.agents["h2"].report(refused))
    with pytest.raises(ResourceError, match="h2: open files: Too many open files"):
        run.there.start_agents()
    run.engine.close()


def test_a_lost_host_is_told_once_and_nothing_more_is_heard_of_it(run):
    run.begin()
    kept, lost = run.start("a"), run.start("c")
    run.hosts.gone.append(("h2", "its node is down"))
    losses = []
    run.until(lambda: losses.extend(run.there.losses()) or losses)
    (loss,) = losses
    assert (loss.host, loss.reason) == ("h2", "its node is down")
    run.hosts.agents["h2"].report(messages.ProcessExited(lost.number, 0))
    run.hosts.agents["h1"].report(messages.ProcessExited(kept.number, 0))
    run.until(lambda: not run.engine._hosts)
    assert run.exits == [ProcessExit(kept.number, 0)]
    assert lost.line.waiting(1.0)
    assert lost.line.receive_lines() is None
    with pytest.raises(HostGone, match="h2"):
        run.start("c")


def test_a_host_that_falls_silent_is_a_trouble_and_then_a_loss(tmp_path):
    run = _Run(tmp_path, lease_s=1.0)
    run.begin()
    run.hosts.agents["h2"].is_mute = True
    run.until(run.engine.trouble)
    trouble = run.engine.trouble()
    assert (trouble.name, trouble.reason) == ("agent of h2", "without an answer")
    run.until(lambda: run.there._losses)
    assert run.engine.trouble() is None
    run.hosts.agents["h2"].is_mute = False
    _close(run)


def test_a_peer_moves_to_another_host_with_its_state_and_a_new_key(run):
    run.begin()
    run.there.make_keys(["a", "b", "c"])
    (run.folder / "state" / "c.safetensors").write_bytes(b"state of c")
    assert run.there.move("c", "h1", ()) == ("127.77.9.1", "key of c at h1")
    assert run.hosts.agents["h1"].files["state/c.safetensors"] == b"state of c"
    assert run.start("c").host == "h1"
    run.hosts.agents["h1"].report(messages.FileAppended("journal/c.jsonl", 0), b"{}\n")
    run.until(lambda: (run.folder / "journal" / "c.jsonl").exists())


def test_files_of_every_kind_are_taken_in(run):
    run.begin()
    agent, log = run.hosts.agents["h2"], run.folder / "logs" / "c.log"
    agent.report(messages.FileFromHost("models/c.safetensors", 0, 5), b"model")
    agent.report(messages.FileAppended("logs/c.log", 0), b"hello")
    run.until(log.exists)
    assert (run.folder / "models" / "c.safetensors").read_bytes() == b"model"


def test_a_host_s_wrong_file_ends_the_run(run):
    run.begin()
    run.hosts.agents["h2"].report(messages.FileAppended("journal/a.jsonl", 0), b"{}\n")
    with pytest.raises(LaunchError, match=r"agent of h2: .*journal/a.jsonl.* a peer of h2"):
        run.until(lambda: False)


def test_the_clock_of_each_host_is_known_as_it_said_last(run):
    run.begin()
    assert {host: known.offset_s for host, known in run.there.clocks.items()} == {
        "h1": 0.25,
        "h2": 0.25,
    }


def test_a_selector_wakes_up_for_hosts_and_for_orders(run):
    run.begin()
    process = run.start()
    with selectors.DefaultSelector() as selector:
        run.engine.watch(selector)
        run.engine.exits()
        run.hosts.agents["h1"].report(messages.ProcessExited(process.number, 0))
        assert selector.select(_DEADLINE_S)
        run.until(lambda: not run.engine._hosts)
        assert run.exits == [ProcessExit(process.number, 0)]


def test_the_end_collects_what_hosts_still_send(run):
    run.begin()
    h1 = run.hosts.agents["h1"]

    def last(_order):
        h1.report(messages.FileAppended("journal/a.jsonl", 0), b'{"last":1}\n')
        return [messages.AgentEnded()]

    h1.answers[messages.EndRun] = last
    _close(run)
    assert (run.folder / "journal" / "a.jsonl").read_bytes() == b'{"last":1}\n'
    assert run.hosts.closed
    assert run.there.losses() == []
    lines = {each.host: each for each in run.there.line_records()}
    assert lines["h1"].received_bytes > lines["h2"].received_bytes > 0
    run.engine.close()  # nothing happens


def test_the_end_gives_up_a_host_that_sends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(agents_of_run, "_ENDING_S", 0.5)
    run = _Run(tmp_path)
    run.begin()
    run.hosts.agents["h2"].answers.pop(messages.EndRun)
    _close(run)
    (loss,) = run.there.losses()
    assert (loss.host, loss.reason) == ("h2", "it did not send its files within 0.5 s")


def test_descriptors_are_given_back(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    run = _Run(tmp_path)
    run.begin()
    started = [run.start("a"), run.start("c")]
    _close(run)
    for each in started:
        each.line.line.close()
    assert len(os.listdir("/proc/self/fd")) == before
