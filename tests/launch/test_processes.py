"""The launcher's end of the control lines, with peers that are sockets of this test."""

import contextlib
import socket

import pytest
from spec_of_a import spec_of_a

from prisam_p2p.control.codec import decode_order, encode
from prisam_p2p.control.messages import ProcessUp, Ready, Roster, RosterEntry, RosterUpdate
from prisam_p2p.errors import LaunchError
from prisam_p2p.launch.processes import Children
from prisam_p2p.measure.journal import Journal

DEADLINE_S = 10


class SocketEngine:
    """Starts no process: the peers' ends are sockets, by peer."""

    def __init__(self):
        self.ends = {}

    def start(self, spec):
        ours, theirs = socket.socketpair()
        theirs.settimeout(DEADLINE_S)
        self.ends[spec.peer_id] = theirs
        return len(self.ends), ours

    def watch(self, selector):
        pass

    def close(self):
        for end in self.ends.values():
            end.close()

    def order(self, peer):
        """Return the next order that a peer has got."""
        with self.ends[peer].makefile("rb") as lines:
            return decode_order(lines.readline())


@pytest.fixture
def run(tmp_path):
    a = spec_of_a(tmp_path)
    b = a.model_copy(update={"peer_id": "b", "neighbors": ["a"], "address": "127.0.0.2"})
    engine = SocketEngine()
    with Journal(tmp_path / "journal" / "launcher.jsonl", 0.0) as journal:
        children = Children(engine, [a, b], journal)
        with contextlib.closing(children):
            yield engine, children, {"a": a, "b": b}


def test_reports_are_heard(run):
    engine, children, specs = run
    children.start(specs["a"])
    engine.ends["a"].sendall(encode(ProcessUp(7)) + encode(Ready())[:5])
    assert [report for _, report in children.hear(DEADLINE_S)] == [ProcessUp(7)]
    engine.ends["a"].sendall(encode(Ready())[5:])
    assert [report for _, report in children.hear(DEADLINE_S)] == [Ready()]


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
    engine, children, specs = run
    children.start(specs["a"])
    specs["a"].log_path.write_text("this is not the release you wanted\n")
    engine.ends["a"].sendall(encode(ProcessUp(7)) + line)
    heard = children.hear(DEADLINE_S)
    assert next(heard)[1] == ProcessUp(7)
    with pytest.raises(LaunchError, match=f"peer a: it sent a wrong line: {why}") as refusal:
        next(heard)
    assert refusal.value.last_lines == ("this is not the release you wanted",)


def test_a_roster_has_who_listens_and_a_later_one_has_a_higher_version(run):
    engine, children, specs = run
    for spec in specs.values():
        children.start(spec)
    a, b = (children.get(peer) for peer in specs)
    children.is_up(a, 7)
    children.introduce(a, leave_out=[])
    assert engine.order("a") == Roster(1, ())
    children.is_up(b, 8)
    children.introduce(a, leave_out=["b"])
    assert engine.order("a") == Roster(2, ())
    children.introduce(a, leave_out=[])
    assert engine.order("a") == Roster(2, (RosterEntry("b", "127.0.0.2", 8),))
    children.make_known(b)
    assert engine.order("a") == RosterUpdate(2, RosterEntry("b", "127.0.0.2", 8))
