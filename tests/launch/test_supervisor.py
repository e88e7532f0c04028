"""The supervisor of many peers: how often it looks at all of them, and whom it waits for."""

import contextlib
import os
import signal
import socket
from types import SimpleNamespace

import pytest
from spec_of_a import spec_of_a

from prisam_p2p.control.codec import encode
from prisam_p2p.control.messages import PeerDone, ProcessUp, Ready, RoundDone, RoundsBegun
from prisam_p2p.control.spec import Incarnation
from prisam_p2p.errors import LaunchError
from prisam_p2p.faults.injector import Injector
from prisam_p2p.launch import supervisor as supervisors
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.launch.supervisor import Interrupted, Supervisor, Surroundings
from prisam_p2p.measure.journal import Journal
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.processes.engine import ProcessExit, StartedProcess
from prisam_p2p.processes.process_acts import LocalProcessActs
from prisam_p2p.system.json_lines import LineSocket
from prisam_p2p.system.stop_requests import StopRequests

PEERS = [f"p{i:02d}" for i in range(30)]
ROUNDS = 8
STEP_S = 0.03


class ScriptedEngine:
    """Starts no process: what a peer says all its life stands in its socket, a bit at a time.

    A peer ends when it is told to exit, which is all that it reads.
    """

    def __init__(self, dying=()):
        self.acts = LocalProcessActs(lambda number: None, lambda number, signum: None)
        self.ends, self.looks, self._dying = {}, 0, dying
        self._reports, self.signals, self.killed = [], [], set()

    def start(self, spec, incarnation):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        number = len(self.ends) + 1
        self.ends[number] = theirs
        rounds = [RoundDone(at, {}, 100) for at in range(ROUNDS)]
        if spec.peer_id not in self._dying:
            theirs.sendall(encode(ProcessUp(4000 + number)) + encode(Ready()))
            self._reports += [(number, x) for x in (RoundsBegun(0), *rounds, PeerDone("completed"))]
        return StartedProcess(number, os.getpid(), LineSocket(ours))

    def exits(self):
        """A peer says one thing each time that the launcher looks; then all that are told end."""
        self.looks += 1
        if len(self.ends) == len(PEERS) and self._reports:
            number, report = self._reports.pop(0)
            self.ends[number].sendall(encode(report))
        told = [number for number, end in self.ends.items() if _is_told_to_exit(end)]
        dead = [number for number in self.ends if PEERS[number - 1] in self._dying]
        gone = [*told, *dead] if len(self.ends) == len(PEERS) else []
        gone += [number for number in self.ends if number in self.killed]
        for number in gone:
            self.ends.pop(number).close()
        return [ProcessExit(number, 0 if number in told else 3) for number in gone]

    def samples(self):
        return None

    def trouble(self):
        return None

    def watch(self, selector):
        pass

    def signal(self, number, signum):
        self.signals.append((number, signum))
        if signum == signal.SIGKILL:
            self.killed.add(number)

    def close(self):
        for end in self.ends.values():
            end.close()


def _is_told_to_exit(end):
    try:
        return b'"order":"exit"' in end.recv(1 << 16)
    except BlockingIOError:
        return False


class CountingDisplay:
    """Keeps what it is to show."""

    def __init__(self):
        self.views = []

    def show(self, view):
        self.views.append(view)

    def end(self):
        pass


@pytest.fixture
def supervised(tmp_path, monkeypatch):
    """Runs peers that an engine plays; time goes on by STEP_S whenever the supervisor asks."""

    def run(engine, stop=None):
        clock = iter(range(1_000_000))
        time = SimpleNamespace(monotonic=lambda: 1000 + next(clock) * STEP_S)
        monkeypatch.setattr(supervisors, "time", time)
        specs = [
            spec_of_a(tmp_path, peer_id=peer, neighbors=[]).model_copy(update={"index": at})
            for at, peer in enumerate(PEERS)
        ]
        settings = specs[0].settings.model_copy(update={"rounds": ROUNDS})
        specs = [spec.model_copy(update={"settings": settings}) for spec in specs]
        first = {peer: Incarnation() for peer in PEERS}
        network, display = Loopback(PEERS, "00" * 8), CountingDisplay()
        with Journal(tmp_path / "launcher.jsonl", 0.0) as journal, contextlib.closing(network):
            processes = PeerProcesses(engine, specs, first, journal)
            injector = Injector(None, processes, journal.write, {})
            asked = stop or StopRequests()
            around = Surroundings(
                journal, display, asked, lambda: None, network, at_once=asked.at_once
            )
            supervisor = Supervisor(processes, injector, around, None, Past("00" * 8))
            try:
                supervisor.run()
            finally:
                display.took_s = time.monotonic() - 1000
        return supervisor, display

    return run


def test_a_view_is_drawn_five_times_a_second_and_where_a_phase_begins(supervised):
    engine = ScriptedEngine()
    supervisor, display = supervised(engine)
    assert {*supervisor.final_states().values()} == {"completed"}
    phases = list(dict.fromkeys(view.phase for view in display.views))
    assert phases == ["starting", "running"]  # all are connected when the launcher first looks
    assert engine.looks > len(PEERS) * ROUNDS
    assert len(display.views) <= display.took_s / 0.2 + len(phases) + 1
    assert len(display.views) > display.took_s / 0.2 / 2
    last = display.views[-1]
    assert (last.slowest_round, last.lost) == (ROUNDS, 0)
    assert last.n_bytes == 100 * len(PEERS)


def test_while_one_peer_runs_the_others_are_not_looked_at(supervised, monkeypatch):
    engine, asked = ScriptedEngine(), []
    is_over = Supervisor._is_over
    monkeypatch.setattr(
        Supervisor, "_is_over", lambda self, peer: asked.append(peer) or is_over(self, peer)
    )
    supervised(engine)
    assert len(asked) < 5 * engine.looks  # of 30 peers: all of them would be 30 a look


def test_a_peer_that_ends_before_the_rounds_is_named(supervised):
    with pytest.raises(LaunchError, match=r"peer p07: ended with 3 while (starting|connecting)"):
        supervised(ScriptedEngine(dying=("p07",)))


def test_peers_that_do_not_stop_are_killed_at_the_second_signal(supervised):
    class InterruptedAgain(ScriptedEngine):
        """Its user sees that no peer ends when it is told to."""

        def signal(self, number, signum):
            super().signal(number, signum)
            if signum == signal.SIGTERM:
                stop.note(signal.SIGINT, None)

    stop, engine = StopRequests(n_before=1), InterruptedAgain()
    with pytest.raises(Interrupted):
        supervised(engine, stop)
    sent = [signum for _, signum in engine.signals]
    assert signal.SIGKILL in sent
    assert signal.SIGABRT not in sent  # which ends those whose time is up
