"""The launcher's end of the control lines, with peers that are sockets of this test."""

import contextlib

import pytest
from socket_engine import DEADLINE_S, SocketEngine
from spec_of_a import spec_of_a

from prisam_p2p.control.codec import decode_order, encode
from prisam_p2p.control.message_rule import Rule
from prisam_p2p.control.messages import (
    AtBarrier,
    ProcessUp,
    Ready,
    RemoveRule,
    Roster,
    RosterEntry,
    RosterUpdate,
    RuleRemoved,
    SetRule,
    SettleConnections,
    TransferHeld,
)
from prisam_p2p.control.spec import AttackSpec, Incarnation
from prisam_p2p.errors import LaunchError
from prisam_p2p.launch.peer_processes import PeerProcesses
from prisam_p2p.measure.journal import Journal
from prisam_p2p.transport.zap import make_keys

KEYS = make_keys({"a": ["b"], "b": ["a"]})
B = RosterEntry("b", "127.0.0.2", 8, 3, KEYS["b"].public)


@pytest.fixture
def run(tmp_path):
    a = spec_of_a(tmp_path)
    places = {"barriers": [(2, "pull")], "stops": [(2, 0.5)]}
    b = spec_of_a(
        tmp_path, peer_id="b", neighbors=["a"], address="127.0.0.2", keys=KEYS["b"], **places
    )
    first = {"a": Incarnation(), "b": Incarnation(number=3)}
    engine = SocketEngine()
    with Journal(tmp_path / "journal" / "launcher.jsonl", 0.0) as journal:
        processes = PeerProcesses(engine, [a, b], first, journal)
        with contextlib.closing(processes):
            yield engine, processes, {"a": a, "b": b}


def test_reports_are_heard(run):
    engine, processes, _ = run
    processes.start("a")
    engine.ends["a"].sendall(encode(ProcessUp(7)) + encode(Ready())[:5])
    assert [report for _, report in processes.hear(DEADLINE_S)] == [ProcessUp(7)]
    engine.ends["a"].sendall(encode(Ready())[5:])
    assert [report for _, report in processes.hear(DEADLINE_S)] == [Ready()]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"hello\n", "expected a JSON object, got 'hello'"),
        (b'{"v":2,"report":"ready"}\n', "control version 2: expected 1"),
        (b'{"v":1,"report":"dance"}\n', "report 'dance': expected one of "),
        (b'{"v":1,"report":"process-up","port":"x"}\n', "report 'process-up', field port: "),
    ],
)
def test_a_wrong_line_is_refused_by_name_with_what_the_peer_printed_last(run, line, why):
    engine, processes, specs = run
    processes.start("a")
    specs["a"].log_path.write_text("this is not the release you wanted\n")
    engine.ends["a"].sendall(encode(ProcessUp(7)) + line)
    heard = processes.hear(DEADLINE_S)
    assert next(heard)[1] == ProcessUp(7)
    with pytest.raises(LaunchError, match=f"peer a: it sent a wrong line: {why}") as refusal:
        next(heard)
    assert refusal.value.last_lines == ("this is not the release you wanted",)


@pytest.mark.parametrize(
    "report", [AtBarrier(3, "pull"), AtBarrier(2, "train"), TransferHeld((2, 0.25))]
)
def test_a_barrier_or_a_stop_that_is_not_in_its_spec_is_refused(run, report):
    engine, processes, _ = run
    processes.start("b")
    engine.ends["b"].sendall(encode(AtBarrier(2, "pull")) + encode(TransferHeld((2, 0.5))))
    engine.ends["b"].sendall(encode(report))
    heard = processes.hear(DEADLINE_S)
    assert [next(heard)[1] for _ in range(2)] == [AtBarrier(2, "pull"), TransferHeld((2, 0.5))]
    with pytest.raises(LaunchError, match=f"peer b: it sent a wrong line: {type(report).__name__}"):
        next(heard)


def test_a_roster_has_who_listens_and_a_later_one_has_a_higher_version(run):
    engine, processes, specs = run
    for peer in specs:
        processes.start(peer)
    a, b = (processes.get(peer) for peer in specs)
    processes.note_port(a, 7)
    processes.send_roster(a, leave_out=[])
    assert engine.order("a") == Roster(1, ())
    processes.note_port(b, 8)
    processes.send_roster(a, leave_out=["b"])
    assert engine.order("a") == Roster(2, ())
    processes.send_roster(a, leave_out=[])
    assert engine.order("a") == Roster(2, (B,))
    processes.send_update(b)
    assert engine.order("a") == RosterUpdate(2, B)


def test_a_later_process_has_the_port_of_the_one_before_and_the_next_number(run):
    engine, processes, _ = run
    attack = AttackSpec(fault="f#0", kind="nan")
    processes.start("b")
    processes.note_port(processes.get("b"), 8)
    processes.set_attack("b", attack)
    processes.start_again("b", "state", 5)
    later = Incarnation(number=4, port=8, late=True, source="state", first_round=5, attack=attack)
    assert engine.incarnations == [Incarnation(number=3), later]
    assert processes.get("b").roster_entry == RosterEntry("b", B.address, 8, 4, B.public_key)


def test_a_rule_is_being_removed_until_the_peer_says_so_or_ends(run):
    engine, processes, _ = run
    processes.start("b")
    processes.note_port(processes.get("b"), 8)
    for rule_id in ("f#0/in", "f#0/out"):
        processes.order("b", RemoveRule(rule_id))
    for rule_id, left in (("f#0/in", True), ("f#0/out", False)):
        assert processes.is_removing_rules("b")
        engine.ends["b"].sendall(encode(RuleRemoved(rule_id, 0)))
        assert [report for _, report in processes.hear(DEADLINE_S)] == [RuleRemoved(rule_id, 0)]
        assert processes.is_removing_rules("b") == left
    processes.order("b", RemoveRule("g#0"))
    processes.get("b").exit_code = -9
    assert not processes.is_removing_rules("b")


def test_a_process_that_is_not_up_yet_is_told_of_rules_once_it_is(run):
    """Before, it expects its roster, and takes any other order for a broken launcher."""
    engine, processes, _ = run
    processes.start("b")
    b, rule = processes.get("b"), Rule("f#0", "drop", "out", frozenset(["a"]))
    processes.order("b", SetRule(rule))
    processes.order("b", RemoveRule("g#0"))
    assert not processes.is_removing_rules("b")
    processes.send_roster(b, leave_out=[])
    assert engine.order("b") == Roster(0, ())
    processes.note_port(b, 8)
    with engine.ends["b"].makefile("rb") as lines:
        assert [decode_order(lines.readline()) for _ in range(2)] == [
            SetRule(rule), RemoveRule("g#0")
        ]  # fmt: skip
    assert processes.is_removing_rules("b")


def test_a_peer_that_joins_has_its_first_process_late(run):
    engine, processes, _ = run
    processes.start_again("b", "fresh", 2)
    assert engine.incarnations == [Incarnation(number=3, late=True, source="fresh", first_round=2)]


def test_an_order_that_a_process_does_not_take_is_sent_when_it_does(run):
    engine, processes, _ = run
    processes.start("a")
    processes.start("b")
    order = SettleConnections(tuple(f"p{i:04d}" for i in range(1000)), 1.0)
    for _ in range(100):  # far beyond what a socket holds
        processes.order("a", order)
    processes.order("b", order)
    assert engine.order("b") == order
    heard = b""
    engine.ends["a"].setblocking(False)
    for _ in range(200):
        with contextlib.suppress(BlockingIOError):
            heard += engine.ends["a"].recv(1 << 16)
        assert list(processes.hear(0)) == []
    assert [*map(decode_order, heard.splitlines(keepends=True))] == [order] * 100
