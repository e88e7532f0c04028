"""Loss of hosts, with peers and hosts that are sockets of this test: who is told what, and when."""

import contextlib
import json

import pytest
from socket_engine import HostedSockets
from spec_of_a import spec_of_a

from prisam_p2p.control.messages import Fence, Fenced, Roster, RosterEntry, RosterUpdate
from prisam_p2p.control.spec import Incarnation
from prisam_p2p.errors import LaunchError
from prisam_p2p.hosts.clock import ClockOffset
from prisam_p2p.launch.fences import FENCE_TIMEOUT_S
from prisam_p2p.launch.lost_hosts import LostHosts
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.measure.journal import Journal
from prisam_p2p.plan.host_room import HostOffer, PeerNeeds
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.processes.engine import HostLoss, ProcessExit
from prisam_p2p.settings import EngineName, OnHostLoss, Placement
from prisam_p2p.transport.zap import make_keys

NEIGHBORS = {"a": ["b", "c"], "b": ["a", "c", "d"], "c": ["a", "b"], "d": ["b"]}
PLACEMENT = {"a": "h1", "b": "h2", "c": "h3", "d": "h2"}
KEYS = make_keys(NEIGHBORS)


def plan_of(on_host_loss, **needs):
    each = PeerNeeds(**({"cores": 1.0, "memory_mib": 10.0} | needs))
    return HostsPlan(
        engine=EngineName.LOCAL,
        policy=Placement.SPREAD,
        lease_s=10.0,
        on_host_loss=on_host_loss,
        hosts={f"h{i}": HostOffer(f"h{i}", f"node{i}", f"10.0.0.{i}", 2, 1000) for i in (1, 2, 3)},
        needs=dict.fromkeys(NEIGHBORS, each),
        placement=PLACEMENT,
    )


class Course:
    """A run of four peers on three hosts, of which h2 has two, and what the launcher noted."""

    def __init__(self, folder, journal, plan):
        self.engine, self.folder, self.restarted = HostedSockets(PLACEMENT), folder, []
        specs = [
            spec_of_a(
                folder,
                peer_id=peer,
                neighbors=NEIGHBORS[peer],
                address=f"10.0.0.{PLACEMENT[peer][1:]}",
                keys=KEYS[peer],
            )
            for peer in NEIGHBORS
        ]
        first = {peer: Incarnation(number=3 if peer == "d" else 0) for peer in NEIGHBORS}
        self.processes = PeerProcesses(self.engine, specs, first, journal)
        self.hosts = LostHosts(
            self.engine, plan, self.processes, journal.write, self.restarted.append
        )
        for i, peer in enumerate(NEIGHBORS):
            self.processes.start(peer)
            self.processes.note_port(self.processes.get(peer), 7000 + i)

    def lose(self, host, now_s=100.0, free_s=105.0, may_restart=True):
        self.engine.gone.add(host)
        self.engine.lost.append(HostLoss(host, "it did not answer", 10.0, free_s))
        return self.hosts.look(now_s, may_restart)

    def fence(self, *answers, now_s=100.0):
        for neighbor, peer, least in answers:
            self.hosts.on_fenced(neighbor, Fenced(peer, least))
        return self.hosts.look(now_s, may_restart=True)

    def noted(self, *names):
        lines = (self.folder / "journal" / "launcher.jsonl").read_text().splitlines()
        return [x for line in lines if (x := json.loads(line))["record"] in names]


@pytest.fixture
def course_of(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(on_host_loss=OnHostLoss.RESTART, **needs):
            (tmp_path / "journal").mkdir()
            journal = Journal(tmp_path / "journal" / "launcher.jsonl", 0.0)
            stack.enter_context(journal)
            course = Course(tmp_path, journal, plan_of(on_host_loss, **needs))
            stack.callback(course.processes.close)
            return course

        yield make


ALL_ANSWERS = [("a", "b", 1), ("c", "b", 1)]


def test_processes_of_a_lost_host_are_counted_as_ended_and_their_neighbors_are_told(course_of):
    course = course_of(OnHostLoss.LOST)
    assert course.lose("h2") == ["b", "d"]
    assert course.processes.is_down("b")
    assert course.processes.get("d").fate() == "lost with host h2"
    assert course.processes.lost_host("b") == "h2"
    assert course.processes.lost_host("a") == ""
    assert course.engine.order("a") == course.engine.order("c") == Fence("b", 1)
    assert not course.engine.has_order("b")  # nobody is told of d: its one neighbor is lost, too
    (lost,) = course.noted("host_lost")
    assert (lost["host"], lost["node"], lost["peers"]) == ("h2", "node2", ["b", "d"])
    assert (lost["reason"], lost["silent_s"]) == ("it did not answer", 10.0)
    assert course.hosts.why_lost("h2") == "it did not answer"
    assert not course.hosts.expects_back("b")
    assert course.hosts.look(200.0, True) == []


def test_what_a_lost_host_says_later_is_not_taken_in(course_of):
    course = course_of(OnHostLoss.LOST)
    course.lose("h2")
    course.engine.exited = [ProcessExit(2, 0), ProcessExit(1, 1)]
    assert list(course.processes.exits()) == [("a", 1)]
    course.engine.ends["b"].sendall(b'{"v":1,"report":"ready"}\n')
    assert list(course.processes.hear(0.0)) == []


def test_fence_is_journalled_when_it_stands(course_of):
    course = course_of(OnHostLoss.LOST)
    course.lose("h2")
    course.fence(ALL_ANSWERS[0], now_s=100.2)
    assert course.noted("host_fenced") == []
    course.fence(ALL_ANSWERS[1], now_s=100.5)
    (fenced,) = course.noted("host_fenced")
    assert (fenced["host"], fenced["least"]) == ("h2", {"b": 1, "d": 4})
    assert (fenced["answered"], fenced["unanswered"]) == (["a", "c"], [])
    assert fenced["waited_s"] == 0.5


def test_replacements_start_once_the_lease_is_over_and_all_neighbors_have_answered(course_of):
    course = course_of()
    course.lose("h2", 100.0, free_s=105.0)
    assert course.hosts.expects_back("b")
    assert course.hosts.waiting == "waiting for h2 to be surely gone, to start b, d elsewhere"
    course.hosts.look(106.0, True)
    assert course.engine.moves == []  # the lease is over, a and c have not answered
    course.fence(*ALL_ANSWERS, now_s=106.5)
    assert course.engine.moves == [("b", "h1"), ("d", "h3")]
    assert course.restarted == ["b", "d"]
    later = course.processes.get("b")
    assert later.incarnation == Incarnation(number=1, late=True, source="state")
    assert later.spec.address == "10.0.0.1"
    assert later.spec.keys.public == "key-of-b-on-h1"
    assert course.processes.get("d").incarnation.number == 4
    assert not course.hosts.expects_back("b")
    assert course.hosts.waiting == ""


def test_replacements_wait_for_the_lease_though_all_have_answered(course_of):
    course = course_of()
    course.lose("h2", 100.0, free_s=105.0)
    course.fence(*ALL_ANSWERS, now_s=104.9)
    assert course.engine.moves == []
    course.hosts.look(105.0, True)
    assert len(course.engine.moves) == 2


def test_replacements_do_not_wait_for_ever_for_a_neighbor_that_is_stopped(course_of):
    course = course_of()
    course.lose("h2", 100.0, free_s=105.0)
    course.fence(ALL_ANSWERS[0], now_s=110.0)
    course.hosts.look(100.0 + FENCE_TIMEOUT_S, True)
    (fenced,) = course.noted("host_fenced")
    assert (fenced["answered"], fenced["unanswered"]) == (["a"], ["c"])
    assert len(course.engine.moves) == 2


def test_neighbors_are_told_where_and_by_which_key_the_replacement_is_reached(course_of):
    course = course_of()
    course.lose("h2")
    course.fence(*ALL_ANSWERS, now_s=106.0)
    later = course.processes.get("b")
    assert later.roster_entry is None  # it may bind any port there
    course.processes.note_port(later, 9001)
    assert later.has_moved
    course.processes.send_update(later)
    assert course.engine.order("a") == Fence("b", 1)
    update = course.engine.order("a")
    assert isinstance(update, RosterUpdate)
    assert update.entry == RosterEntry("b", "10.0.0.1", 9001, 1, "key-of-b-on-h1")


def test_process_that_comes_up_is_told_of_the_fence_before_its_neighbors(course_of):
    course = course_of()
    course.lose("h2")
    course.processes.get("c").exit_code = -9
    course.processes.start_again("c", "state", 0)
    later = course.processes.get("c")
    course.processes.note_port(later, 7100)
    course.hosts.on_up(later)
    course.processes.send_roster(later, leave_out=[])
    assert course.engine.order("c") == Fence("b", 1)
    assert isinstance(course.engine.order("c"), Roster)


def test_host_that_is_lost_meanwhile_gets_no_replacement(course_of):
    course = course_of()
    course.lose("h2")
    course.engine.gone.add("h1")  # which nobody has noticed yet
    course.fence(*ALL_ANSWERS, now_s=106.0)
    assert course.hosts.expects_back("b")
    assert course.engine.moves == []
    course.lose("h1", 107.0, free_s=112.0)
    assert course.engine.moves == [("b", "h3"), ("d", "h3")]


def test_peer_without_room_elsewhere_stays_lost_and_the_journal_says_so(course_of):
    course = course_of(memory_mib=500.0)  # two of them fill a host
    course.processes.get("b")
    course.lose("h3")
    course.lose("h2")
    course.fence(("a", "b", 1), ("a", "c", 1), now_s=106.0)
    assert course.engine.moves == [("c", "h1")]
    (b, d) = course.noted("no_room")
    assert (b["peer"], d["peer"], b["hosts"]) == ("b", "d", ["h1"])
    assert not course.hosts.expects_back("b")


def test_run_without_hosts_cannot_go_on(course_of):
    course = course_of()
    course.lose("h1")
    course.lose("h2")
    with pytest.raises(LaunchError, match=r"all 3 are lost: h1: it did not answer; h2: .*; h3: "):
        course.lose("h3")
    assert len(course.noted("host_lost")) == 3


def test_after_the_rounds_nobody_is_started_again(course_of):
    course = course_of()
    course.lose("h2", may_restart=False)
    assert not course.hosts.expects_back("b")
    course.fence(*ALL_ANSWERS, now_s=120.0)
    assert course.engine.moves == []


def test_clocks_of_hosts_are_journalled_at_the_beginning_and_at_the_end(course_of):
    course = course_of()
    course.engine.clocks = {"h1": ClockOffset(-5.0, 0.001)}
    course.hosts.look(100.0, True)
    course.hosts.look(101.0, True)
    course.engine.clocks = {"h1": ClockOffset(-5.5, 0.001)}
    course.hosts.end(110.0)
    first, last = course.noted("host_clock")
    assert (first["host"], first["offset_s"], first["changed_s"]) == ("h1", -5.0, 0.0)
    assert (last["offset_s"], last["bound_s"], last["changed_s"]) == (-5.5, 0.001, -0.5)


# -- faults that start processes, where a host is lost ---------------------------------------


def ended(course, peer):
    course.processes.get(peer).exit_code = -9


@pytest.mark.parametrize("how", OnHostLoss)
def test_peer_that_a_fault_had_ended_before_starts_elsewhere_or_never(course_of, how):
    course = course_of(how)
    ended(course, "d")
    assert course.lose("h2") == ["b"]
    course.processes.start_again("d", "state", 5)
    assert course.processes.is_down("d") == (how is OnHostLoss.LOST)
    assert course.engine.moves == ([("d", "h1")] if how is OnHostLoss.RESTART else [])


def test_fault_does_not_start_a_peer_that_was_lost_before_its_lease_is_over(course_of):
    course = course_of()
    course.lose("h2")
    course.processes.start_again("b", "state", 5)
    assert course.processes.is_down("b")
    assert course.engine.moves == []


def test_start_on_a_host_that_is_just_lost_is_tried_again_elsewhere(course_of):
    course = course_of()
    ended(course, "d")
    course.engine.gone.add("h2")
    course.processes.start_again("d", "neighbor", 5)
    assert course.processes.is_down("d")
    assert course.hosts.expects_back("d")
    course.lose("h2")
    assert course.engine.moves == [("d", "h1")]
    later = course.processes.get("d").incarnation
    assert (later.number, later.source, later.first_round) == (4, "neighbor", 5)


def test_host_down_ends_the_host_of_a_peer(course_of):
    course = course_of()
    course.processes.end_host("d")
    assert course.engine.ended_hosts == ["h2"]
