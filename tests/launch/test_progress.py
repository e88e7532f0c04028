"""What is shown of a run: the rounds of the peers that live, and who was lost."""

import socket

import pytest
from spec_of_a import spec_of_a

from prisam_p2p.control.messages import PeerDone
from prisam_p2p.control.spec import Incarnation
from prisam_p2p.launch.peer_process import PeerProcess
from prisam_p2p.launch.progress import LineDisplay, ShownHosts, view_of
from prisam_p2p.system.json_lines import LineSocket

ROUNDS = 40


@pytest.fixture
def make(tmp_path):
    """Makes the launcher's view of a peer's process."""
    ends = []

    def process(peer, rounds_done, **more):
        ours, theirs = socket.socketpair()
        ends.extend((ours, theirs))
        spec = spec_of_a(tmp_path, peer_id=peer)
        spec = spec.model_copy(
            update={"settings": spec.settings.model_copy(update={"rounds": ROUNDS})}
        )
        lines = LineSocket(ours)
        return PeerProcess(
            spec, Incarnation(), 1, lines, ready=True, rounds_done=rounds_done, **more
        )

    yield process
    for end in ends:
        end.close()


def view(processes, gone=(), left_s=None, waiting="", phase="running"):
    specs = [each.spec for each in processes]
    return view_of(specs, processes, gone, phase, left_s, waiting)


def test_lost_peers_do_not_hold_the_round_back(make):
    """The run that led to this: four of twelve killed in round 2, the others run on."""
    processes = [make(f"p{i:02}", 2, exit_code=-9) for i in range(4)]
    processes += [make(f"p{i:02}", 17) for i in range(4, 12)]
    shown = view(processes, gone=["p00", "p01", "p02", "p03"], left_s=23.4)
    assert (shown.slowest_round, shown.lost, shown.peers_ready) == (17, 4, 8)
    assert (shown.rounds_done, shown.all_rounds) == (8 * 17, 8 * ROUNDS)
    assert shown.line() == "running: 8/12 peers, 4 lost, round 17/40, 0.0 MiB sent, 23 s left"


def test_a_peer_that_a_fault_will_start_again_is_not_lost(make):
    shown = view([make("a", 2, exit_code=-9), make("b", 3)])
    assert (shown.lost, shown.slowest_round) == (0, 2)


def test_a_peer_that_converged_is_neither_lost_nor_waited_for(make):
    early = make("a", 5, result=PeerDone("completed"))
    shown = view([early, make("b", 20)])
    assert (shown.lost, shown.slowest_round) == (0, 20)
    assert shown.rounds_done == ROUNDS + 20


def test_a_peer_without_memory_is_lost_though_its_process_answers_pulls(make):
    shown = view([make("a", 5, result=PeerDone("out-of-memory")), make("b", 20)])
    assert (shown.lost, shown.slowest_round) == (1, 20)


def test_when_all_have_finished_the_round_is_that_of_the_last(make):
    done = PeerDone("completed")
    shown = view([make("a", 12, result=done), make("b", ROUNDS, result=done)])
    assert (shown.slowest_round, shown.rounds_done) == (ROUNDS, 2 * ROUNDS)


def test_peers_that_end_because_the_run_is_stopped_are_not_called_lost(make):
    processes = [make("a", 2, exit_code=0), make("b", 3, exit_code=0)]
    shown = view(processes, gone=["a", "b"], phase="stopping")
    assert shown.line() == "stopping: 0/2 peers, round 3/40, 0.0 MiB sent"


def test_a_run_that_is_stopped_has_no_time_left(make):
    for left_s in (None, 23.4):
        shown = view([make("a", 2)], left_s=left_s, phase="stopping")
        assert shown.line() == "stopping: 1/1 peers, round 2/40, 0.0 MiB sent"


def test_who_is_waited_for_is_said(make):
    line = view([make("a", 3), make("b", 3)], waiting="waiting for b: stopped for 12 s").line()
    assert line.endswith("time left unknown, waiting for b: stopped for 12 s")


def test_lines_are_written_when_something_changes(make, capsys):
    display = LineDisplay()
    a, b = make("a", 3), make("b", 3)
    for waiting in ("", "", "waiting for b: stopped for 5 s", "waiting for b: stopped for 6 s"):
        display.show(view([a, b], waiting=waiting))
    b.exit_code = -9
    display.show(view([a, b], gone=["b"]))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "waiting for b: stopped for 5 s" in lines[1]
    assert "1/2 peers, 1 lost" in lines[2]


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (ShownHosts(), "2/2 peers, round"),
        (ShownHosts(3), "2/2 peers, 3 hosts, round"),
        (ShownHosts(3, ("h2",)), "2/2 peers, 2/3 hosts (h2 lost), round"),
        (ShownHosts(9, ("h2", "h3", "h5", "h7")), "5/9 hosts (h2, h3, h5 + 1 more lost), round"),
    ],
)
def test_hosts_are_shown_and_those_that_are_lost(make, hosts, words):
    processes = [make("a", 3), make("b", 3)]
    shown = view_of([each.spec for each in processes], processes, (), "running", None, "", hosts)
    assert words in shown.line()


def test_a_line_is_printed_when_a_host_is_lost(make, capsys):
    display, processes = LineDisplay(), [make("a", 3)]
    specs = [each.spec for each in processes]
    for lost in ((), (), ("h2",), ("h2",)):
        hosts = ShownHosts(3, lost)
        display.show(view_of(specs, processes, (), "running", None, "", hosts))
    assert capsys.readouterr().err.count("\n") == 2
