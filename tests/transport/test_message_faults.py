"""Rules, what they decide together, and the waiting line; no socket, no clock."""

import itertools
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.control.message_rule import Rule
from prisam_p2p.measure import traffic
from prisam_p2p.transport.connections import TcpConnection
from prisam_p2p.transport.delayed_messages import DelayedMessages
from prisam_p2p.transport.message_faults import Decision, MessageFaults, damaged
from prisam_p2p.wire.codec import WireError, decode, encode, kind_of
from prisam_p2p.wire.messages import Bye, Chunk, Kind, MaskAnnounce, WeightsOffer, Welcome

MASKS = ["out", "b", Kind.MASK]


def message_faults(*rules, seed=0):
    made = MessageFaults(seed, "a")
    for rule in rules:
        made.add(rule)
    return made


# -- one rule ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ("drop", {"copies": 0}),
        ("duplicate", {"copies": 2}),
        ("corrupt", {"corrupt": True}),
        ("hold", {"held": ["r"]}),
        ("reorder", {"held": ["r"]}),
    ],
)
def test_what_an_action_makes_of_a_message(action, changes):
    made = message_faults(Rule("r", action))
    assert made.decide(*MASKS) == Decision(rules=["r"], **changes)
    assert made.remove("r") == (1, 1)


def test_a_delay_varies_by_jitter_both_ways():
    made = message_faults(Rule("r", "delay", delay_ms=30, jitter_ms=20))
    delays = [made.decide(*MASKS).delay_s for _ in range(400)]
    assert 0.01 <= min(delays) < 0.012
    assert 0.048 < max(delays) <= 0.05
    assert abs(sum(delays) / 400 - 0.03) < 0.003


def test_a_delay_is_never_negative():
    made = message_faults(Rule("r", "delay", delay_ms=1, jitter_ms=50))
    assert min(made.decide(*MASKS).delay_s for _ in range(50)) == 0


@pytest.mark.parametrize(("message", "in_order"), [(None, True), ("mask", False)])
def test_only_a_delayed_link_keeps_its_order(message, in_order):
    made = message_faults(Rule("r", "delay", message=message, delay_ms=5))
    assert made.decide(*MASKS).in_order is in_order


def test_every_second_message_changes_places_with_the_one_before():
    made = message_faults(Rule("r", "reorder"))
    got = [made.decide(*MASKS) for _ in range(4)]
    assert [(d.held, d.frees) for d in got] == 2 * [(["r"], []), ([], ["r"])]
    assert made.remove("r") == (4, 2)


@pytest.mark.parametrize(
    "other", [("in", "b", Kind.MASK), ("out", "c", Kind.MASK), ("out", "b", Kind.CHUNK)]
)
def test_the_successor_is_of_the_same_stream(other):
    made = message_faults(Rule("r", "reorder", limit=1))
    made.decide(*MASKS)
    assert made.decide(*other).frees == []
    assert made.decide(*MASKS).frees == ["r"]


# -- which messages ------------------------------------------------------------------------

CASES = list(itertools.product(("out", "in"), ("b", "c"), Kind))


@pytest.mark.parametrize("direction", ["out", "in", "both"])
@pytest.mark.parametrize("neighbors", [None, frozenset("b")])
@pytest.mark.parametrize("message", [None, "mask", "request", "weights"])
def test_a_rule_is_about_what_it_says(direction, neighbors, message):
    made = message_faults(Rule("r", "drop", direction, neighbors, message))
    for way, neighbor, kind in CASES:
        about = (
            direction in (way, "both")
            and (neighbors is None or neighbor in neighbors)
            and (message is None or traffic._CARRIES.get(kind, traffic.CONTROL) == message)
        )
        assert made.decide(way, neighbor, kind) == (
            Decision(copies=0, rules=["r"]) if about else Decision()
        )


@pytest.mark.parametrize("kind", [Kind.HELLO, Kind.WELCOME, Kind.REFUSE])
@pytest.mark.parametrize("message", ["mask", "request", "weights"])
def test_greetings_are_touched_only_by_rules_about_everything(kind, message):
    made = message_faults(Rule("r", "drop", message=message))
    assert made.decide("out", "b", kind).copies == 1
    made.add(Rule("all", "drop"))
    assert made.decide("out", "b", kind).copies == 0


def test_a_limit_ends_what_a_rule_does_but_not_its_count():
    made = message_faults(Rule("r", "drop", limit=2))
    assert [made.decide(*MASKS).copies for _ in range(4)] == [0, 0, 1, 1]
    assert made.remove("r") == (4, 2)


def test_a_probability_is_kept():
    made = message_faults(Rule("r", "drop", probability=0.3))
    lost = sum(made.decide(*MASKS).copies == 0 for _ in range(4000))
    assert abs(lost / 4000 - 0.3) < 0.03
    assert made.remove("r") == (4000, lost)


# -- together ------------------------------------------------------------------------------


def test_delays_add_up_and_drop_wins():
    a, b = Rule("a", "delay", delay_ms=10), Rule("b", "delay", delay_ms=5)
    assert message_faults(a, b).decide(*MASKS).delay_s == pytest.approx(0.015)
    for rules in itertools.permutations([Rule("d", "drop"), Rule("t", "duplicate")]):
        assert message_faults(*rules).decide(*MASKS).copies == 0


def test_losses_are_independent():
    made = message_faults(Rule("a", "drop", probability=0.5), Rule("b", "drop", probability=0.4))
    passed = sum(made.decide(*MASKS).copies for _ in range(4000))
    assert abs(passed / 4000 - 0.5 * 0.6) < 0.03


ACTIONS = st.sampled_from(["drop", "delay", "duplicate", "reorder", "hold", "corrupt"])


@st.composite
def rule_lists(draw):
    rules = []
    for i in range(draw(st.integers(1, 5))):
        action = draw(ACTIONS)
        times = {"delay_ms": 10, "jitter_ms": 9} if action == "delay" else {}
        message = draw(st.sampled_from([None, "mask", "weights"]))
        probability = draw(st.sampled_from([0.2, 0.5, 1.0]))
        limit = draw(st.none() | st.integers(1, 4))
        rules.append(
            Rule(f"r{i}", action, message=message, probability=probability, limit=limit, **times)
        )
    return rules


@given(
    rule_lists(),
    st.lists(st.sampled_from(CASES), max_size=30),
    st.data(),
)
def test_one_rule_less_changes_nothing_that_another_decides(rules, messages, data):
    gone = data.draw(st.sampled_from(rules))
    at = data.draw(st.integers(0, len(messages)))
    whole, without, removed = (
        message_faults(*those) for those in (rules, [r for r in rules if r != gone], rules)
    )
    for i, message in enumerate(messages):
        if i == at:
            removed.remove(gone.id)
        by_all = _of_others(whole.decide(*message), gone)
        assert _of_others(without.decide(*message), gone) == by_all
        assert _of_others(removed.decide(*message), gone) == by_all
    for rule in rules:
        if rule != gone:
            assert without.remove(rule.id) == whole.remove(rule.id)


def _of_others(decision, gone):
    return [[r for r in ids if r != gone.id] for ids in (decision.rules, decision.frees)]


@given(st.lists(st.sampled_from(CASES), max_size=40), st.randoms())
def test_a_streams_draws_do_not_depend_on_what_comes_between(messages, random):
    """Nor on which of two streams is ahead."""
    rule = Rule("r", "drop", probability=0.5)
    shuffled = list(messages)
    random.shuffle(shuffled)
    assert _fates(message_faults(rule), messages) == _fates(message_faults(rule), shuffled)


def _fates(made, messages):
    fates = {}
    for way, neighbor, kind in messages:
        stream = (way, neighbor, traffic._CARRIES.get(kind, traffic.CONTROL))
        fates.setdefault(stream, []).append(made.decide(way, neighbor, kind).copies)
    return fates


def test_draws_follow_from_seed_and_peer_and_rule():
    def fates(seed, peer, rule_id):
        made = MessageFaults(seed, peer)
        made.add(Rule(rule_id, "drop", probability=0.5))
        return tuple(made.decide(*MASKS).copies for _ in range(64))

    assert fates(0, "a", "r") == fates(0, "a", "r")
    assert (
        len({fates(0, "a", "r"), fates(1, "a", "r"), fates(0, "b", "r"), fates(0, "a", "s")}) == 4
    )


def test_a_removed_rule_tells_its_counts_and_may_come_again():
    made = message_faults(Rule("r", "drop", limit=1))
    made.decide(*MASKS)
    made.decide(*MASKS)
    assert made
    assert made.remove("r") == (2, 1)
    assert made.remove("r") == (0, 0)
    assert not made
    assert made.decide(*MASKS) == Decision()
    made.add(Rule("r", "drop", limit=1))
    assert made.decide(*MASKS).copies == 0
    with pytest.raises(ValueError, match="a second rule r"):
        made.add(Rule("r", "hold"))


# -- the waiting line ----------------------------------------------------------------------


class Line:
    """Delayed messages, and those that have gone on."""

    def __init__(self):
        self.delayed, self.gone = DelayedMessages(), []
        self.connection = TcpConnection(0, "client", "x", "y")

    def add(self, name, now_s=0.0, **decision):
        go, made = partial(self.gone.append, name), Decision(**decision)
        self.delayed.add("out", self.connection, made, go, now_s)
        self.delayed.overtaken("out", self.connection, made, now_s)

    def at(self, now_s):
        self.delayed.go_on(now_s)
        return self.gone


def test_each_goes_when_it_is_due():
    line = Line()
    line.add("late", delay_s=0.3)
    line.add("soon", delay_s=0.1)
    line.add("now")
    assert line.at(0.05) == ["now"]
    assert line.delayed.next_s(0.05) == pytest.approx(0.05)
    assert line.delayed.is_free("out", line.connection)
    assert line.at(0.2) == ["now", "soon"]
    assert line.at(0.3) == ["now", "soon", "late"]
    assert line.delayed.next_s(0.3) is None
    assert not line.delayed


def test_on_a_delayed_link_nothing_overtakes():
    line = Line()
    line.add("a", delay_s=0.3, in_order=True)
    line.add("b", delay_s=0.1, in_order=True)
    assert line.delayed.is_free("in", line.connection)
    assert line.delayed.is_free("out", TcpConnection(1, "client", "x", "y"))
    line.add("c", now_s=0.2)  # the delay is over for those that come now
    assert line.at(0.29) == []
    line.add("d", now_s=0.4)  # nobody looked meanwhile
    assert not line.delayed.is_free("out", line.connection)
    assert line.at(0.5) == ["a", "b", "c", "d"]
    assert line.delayed.is_free("out", line.connection)


def test_held_ones_go_in_order_once_nobody_holds_them():
    line = Line()
    line.add("a", held=["x", "y"])
    line.add("b", held=["x"], copies=2)
    line.add("dropped", held=["x"], copies=0)
    line.add("c", held=["x"], delay_s=0.5)
    assert line.delayed.next_s(0) is None
    assert line.delayed
    line.delayed.release("y", 1.0)
    line.delayed.release("another", 1.0)
    assert line.at(1.0) == []
    line.delayed.release("x", 2.0)
    assert not line.delayed.is_free("out", line.connection)
    assert line.at(2.0) == ["a", "b", "b"]
    assert line.at(2.5) == ["a", "b", "b", "c"]


def test_the_one_before_goes_after_its_successor_however_late_that_is():
    line = Line()
    line.add("first", held=["x"])
    line.add("second", frees=["x"], delay_s=0.2)
    assert line.at(0.1) == []
    assert line.at(0.2) == ["second", "first"]


def test_the_third_does_not_overtake_the_two_that_changed_places():
    line = Line()
    line.add("first", held=["x"])
    line.add("second", frees=["x"])
    assert not line.delayed.is_free("out", line.connection)
    line.add("third")
    assert line.at(0) == ["second", "first", "third"]


def test_a_successor_on_another_connection_frees_nothing():
    line = Line()
    line.add("first", held=["x"])
    line.connection = TcpConnection(1, "client", "x", "y")
    line.add("second", frees=["x"])
    assert line.at(0) == ["second"]


def test_what_waits_dies_with_its_connection():
    line = Line()
    line.add("late", delay_s=0.1, in_order=True)
    line.add("held", held=["x"])
    line.connection.gone = True
    line.delayed.release("x", 0.1)
    assert line.at(1.0) == []
    assert not line.delayed
    assert line.delayed.is_free("out", line.connection)


# -- damage --------------------------------------------------------------------------------


@pytest.mark.parametrize("n_bits", [1, 7, 8, 20])
@pytest.mark.parametrize("whole", [b"\xff\xff\xff", b"\x00\x00\x00"])
def test_damaged_weights_are_others(n_bits, whole):
    bits = bytearray(whole[: -(-n_bits // 8)])
    bits[-1] &= 0xFF << (-n_bits % 8) & 0xFF
    for message in (
        WeightsOffer(0, b"d" * 16, n_bits, bytes(bits)),
        Chunk(b"d" * 16, 0, bytes(whole)),
    ):
        frames, kind = damaged(message)
        assert kind == kind_of(message)
        got = decode(frames)
        assert type(got) is type(message)
        assert got != message
        assert [len(f) for f in frames] == [len(f) for f in encode(message)]


@pytest.mark.parametrize("message", [MaskAnnounce(0, 8, b"\x01"), Bye(3), Welcome(0)])
def test_of_anything_else_no_message_is_left(message):
    frames, kind = damaged(message)
    assert kind is None
    with pytest.raises(WireError):
        decode(frames)
