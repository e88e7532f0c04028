"""Rules about messages between real transports: each fired, bit, and was contained."""

import itertools
import queue
import time

import pytest
from tiny_layouts import same
from transports import (
    CHUNK,
    DEADLINE_S,
    LAYOUT,
    SLOW,
    WEIGHTS,
    flipped,
    mask_of,
    through_a_proxy,
)

from prisam_p2p.control.message_rule import Rule
from prisam_p2p.errors import WireError
from prisam_p2p.peer.round_book import RoundBook, Verdict
from prisam_p2p.transport import events, transport


def other_mask(t):
    """A mask that is sent whole: it has too little in common with the one before."""
    return mask_of(t, seed=t)


def three(net, **kwargs):
    """Return a, b, c, connected; `kwargs` are for single ones of them."""
    a, b, c = (net.end(p, [q for q in "abc" if q != p], **kwargs.get(p, {})) for p in "abc")
    for end in (a, b, c):
        end.transport.connect({e.peer: e.endpoint for e in (a, b, c) if e is not end})
    for end, other in itertools.permutations((a, b, c), 2):
        end.wait(events.Welcomed, neighbor=other.peer)
        end.wait(events.Joined, neighbor=other.peer)
    return a, b, c


def set_rule(way, a, b, action, message="mask", **fields):
    """Have `action` done to what goes from a to b, by the one or by the other."""
    at, neighbor = (a, b) if way == "out" else (b, a)
    rule = Rule("r", action, way, frozenset(neighbor.peer), message, **fields)
    at.transport.set_message_rule(rule)
    return at


def remove_rule(end, rule_id="r"):
    """Remove a rule and return what it (matched, acted)."""
    counts = queue.SimpleQueue()
    end.transport.remove_message_rule(rule_id, lambda *both: counts.put(both))
    return counts.get(timeout=DEADLINE_S)


def until_here(a, *others):
    """Return once all that a sent the others before has come, if it comes at all."""
    a.transport.say_bye(99)
    for end in others:
        end.wait(events.Left, neighbor=a.peer, for_good=True)


def pulled(end, donor, t=0):
    end.transport.pull([donor], t)
    return same(end.wait(events.PullDone).pull.weights(), WEIGHTS)


def how_it_ends(end, donor, t=0):
    """Pull from `donor` and return PullDone or PullLost."""
    end.transport.pull([donor], t)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for event in end.heard_of((events.PullDone, events.PullLost)):
            end.told.remove(event)
            return event
    pytest.fail(f"the pull from {donor} did not end")


WAYS = pytest.mark.parametrize("way", ["out", "in"])

# -- masks ---------------------------------------------------------------------------------


@WAYS
def test_a_dropped_mask_is_not_heard_and_the_next_one_is_asked_for_whole(net, way):
    a, b, c = net.mesh("abc")
    at = set_rule(way, a, b, "drop", limit=1)
    until_here(at, *({a, b, c} - {at}))  # the rule is there
    first = mask_of(0)
    second = flipped(first, 5)
    a.announce(0, mask=first)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, ["b", "c"], [])
    assert c.wait(events.MaskHeard) == events.MaskHeard("a", first)
    until_here(a, b, c)
    assert b.heard_of(events.MaskHeard) == []
    a.announce(1, mask=second)
    rejected = b.wait(events.MessageRejected)
    assert (rejected.sender, rejected.verdict) == ("a", "baseless")
    assert b.wait(events.MaskHeard) == events.MaskHeard("a", second)
    assert c.wait(events.MaskHeard) == events.MaskHeard("a", second)
    assert remove_rule(at) == (3, 1)  # matched: the first, changes, the second
    assert remove_rule(at) == (0, 0)
    assert c.heard_of(events.MessageRejected) == []


@WAYS
def test_a_delayed_mask_comes_when_its_round_is_over(net, way):
    a, b, c = net.mesh("abc")
    at = set_rule(way, a, b, "delay", delay_ms=300)
    until_here(at, *({a, b, c} - {at}))
    book, began = RoundBook(["a"], LAYOUT.n_bits), time.monotonic()
    sent = a.announce(0)
    assert c.wait(events.MaskHeard) == events.MaskHeard("a", sent)
    until_here(a, b, c)  # what was sent after it is here
    assert b.heard_of(events.MaskHeard) == []
    book.open(1)
    heard = b.wait(events.MaskHeard)
    assert heard == events.MaskHeard("a", sent)
    assert time.monotonic() - began >= 0.3
    assert book.receive("a", heard.announced.round_index, heard.announced.mask) is Verdict.STALE
    assert remove_rule(at) == (1, 1)


@WAYS
def test_a_duplicate_is_noticed(net, way):
    a, b, c = net.mesh("abc")
    at = set_rule(way, a, b, "duplicate")
    until_here(at, *({a, b, c} - {at}))
    a.announce(0)
    until_here(a, b, c)
    book = RoundBook(["a"], LAYOUT.n_bits)
    heard = [event.announced for event in b.heard_of(events.MaskHeard)]
    verdicts = [book.receive("a", each.round_index, each.mask) for each in heard]
    assert verdicts == [Verdict.ACCEPTED, Verdict.DUPLICATE]
    assert len(c.heard_of(events.MaskHeard)) == 1
    assert remove_rule(at) == (1, 1)
    on_the_wire = 2 if way == "out" else 1
    assert a.traffic("out", "b")["mask"][0] == b.traffic("in", "a")["mask"][0] == on_the_wire


def test_duplicated_changes_cost_one_whole_mask(net):
    """The second time they are changes to themselves."""
    a, b = net.pair()
    first = a.announce(0)
    set_rule("out", a, b, "duplicate", limit=1)
    second = flipped(first, 5)
    a.announce(1, mask=second)
    for mask in (first, second, second):
        assert b.wait(events.MaskHeard).announced == mask
    assert [t.verdict for t in b.heard_of(events.MessageRejected)] == ["baseless"]
    third = flipped(second, 6)
    a.announce(2, mask=third)
    assert b.wait(events.MaskHeard).announced == third
    assert len(b.heard_of(events.MessageRejected)) == 1


@WAYS
def test_two_masks_change_places(net, way):
    a, b, c = net.mesh("abc")
    at = set_rule(way, a, b, "reorder", limit=1)
    until_here(at, *({a, b, c} - {at}))
    for t in range(3):
        a.announce(t, mask=other_mask(t))
    until_here(a, b, c)
    assert [m.announced.round_index for m in b.heard_of(events.MaskHeard)] == [1, 0, 2]
    assert [m.announced.round_index for m in c.heard_of(events.MaskHeard)] == [0, 1, 2]
    assert remove_rule(at) == (3, 1)


@WAYS
def test_masks_that_are_held_come_in_order_once_they_are_let_go(net, way):
    a, b, c = net.mesh("abc")
    at = set_rule(way, a, b, "hold")
    until_here(at, *({a, b, c} - {at}))
    sent = [a.announce(t, mask=other_mask(t)) for t in range(3)]
    until_here(a, b, c)
    assert b.heard_of(events.MaskHeard) == []
    assert [m.announced for m in c.heard_of(events.MaskHeard)] == sent
    assert remove_rule(at) == (3, 3)
    assert [b.wait(events.MaskHeard).announced for _ in sent] == sent


@WAYS
def test_a_corrupt_mask_is_no_mask(net, way):
    a, b, c = net.mesh("abc")
    at = set_rule(way, a, b, "corrupt", limit=1)
    until_here(at, *({a, b, c} - {at}))
    sent = a.announce(0)
    assert b.wait(events.MessageRejected).verdict == "malformed"
    assert c.wait(events.MaskHeard).announced == sent
    until_here(a, b)
    assert b.heard_of(events.MaskHeard) == []
    assert remove_rule(at) == (1, 1)
    again = flipped(sent)
    a.announce(1, mask=again)
    assert b.wait(events.MaskHeard).announced == again


def test_what_is_held_dies_with_its_connection(net):
    a, b, proxy = through_a_proxy(net)
    set_rule("out", b, a, "hold")
    b.announce(0, mask=other_mask(0))
    last = b.announce(1, mask=other_mask(1))
    b.wait(events.AnnounceDone, round_index=1)
    proxy.cut()
    b.wait(events.Joined, neighbor="a")  # it is sent the last mask again
    until_here(b, a)
    assert remove_rule(b) == (3, 3)
    assert a.wait(events.MaskHeard).announced == last
    b.announce(2, mask=other_mask(2))
    assert a.wait(events.MaskHeard).announced == other_mask(2)


# -- weights and requests ------------------------------------------------------------------


@WAYS
def test_corrupt_weights_do_not_match_their_digest(net, way):
    a, b, c = three(net, b={"rates": SLOW})
    b.announce(0)
    b.wait(events.AnnounceDone)
    for end in (a, c):
        end.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    at = set_rule(way, b, a, "corrupt", "weights", limit=1)
    done = a.wait(events.PullDone)
    with pytest.raises(WireError, match="do not match their digest"):
        done.pull.weights()
    assert same(c.wait(events.PullDone).pull.weights(), WEIGHTS)
    matched, acted = remove_rule(at)
    assert (matched > 1, acted) == (True, 1)
    assert pulled(a, "b")


def test_a_corrupt_offer_is_found_out_too(net):
    a, b, c = net.mesh("abc")
    b.announce(0)
    b.wait(events.AnnounceDone)
    set_rule("out", b, a, "corrupt", "weights", limit=1)
    ended = how_it_ends(a, "b")
    if isinstance(ended, events.PullDone):
        with pytest.raises(WireError):
            ended.pull.weights()
    assert remove_rule(b)[1] == 1
    assert pulled(c, "b")


def test_a_pull_whose_requests_are_dropped_is_given_up(net):
    a, b, c = three(net, a={"timeout_s": 0.4})
    for end in (b, c):
        end.announce(0)
        end.wait(events.AnnounceDone)
    set_rule("out", a, b, "drop", "request")
    a.transport.pull(["b", "c"], 0)
    assert a.wait(events.PullLost) == events.PullLost("b", 0, "no byte for 0.4 s")
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)
    assert remove_rule(a) == (1, 1)
    assert pulled(a, "b")


@pytest.mark.parametrize("action", ["duplicate", "reorder"])
def test_weights_that_come_twice_or_late_end_the_pull_and_no_other(net, action):
    """An offer that waits for its successor waits for what is asked for when it is here."""
    a, b, c = three(net, a={"timeout_s": 0.4})
    b.announce(0)
    b.wait(events.AnnounceDone)
    set_rule("in", b, a, action, "weights")
    lost = how_it_ends(a, "b")
    assert lost.reason == {"duplicate": "a second offer of round 0"}.get(
        action, "no byte for 0.4 s"
    )
    assert pulled(c, "b")
    assert remove_rule(a)[1] >= 1
    assert pulled(a, "b")


# -- whole links ---------------------------------------------------------------------------


def set_both(a, b, action, **fields):
    """Do `action` to everything between two, each to what it sends."""
    set_rule("out", a, b, action, None, **fields)
    set_rule("out", b, a, action, None, **fields)


def test_of_a_lossy_link_every_pull_ends(net):
    a, b, c = three(net, a={"timeout_s": 0.3})
    b.announce(0)
    b.wait(events.AnnounceDone)
    set_both(a, b, "drop", probability=0.5)
    for _ in range(5):
        ended = how_it_ends(a, "b")
        if isinstance(ended, events.PullDone):
            assert same(ended.pull.weights(), WEIGHTS)
        assert pulled(c, "b")
    matched, acted = remove_rule(a)
    assert 0 < acted < matched
    remove_rule(b)
    assert pulled(a, "b")


def test_a_slow_link_keeps_its_order_also_when_it_heals(net):
    a, b, c = net.mesh("abc")
    b.announce(0)
    b.wait(events.AnnounceDone)
    set_both(a, b, "delay", delay_ms=100, jitter_ms=95)
    began = time.monotonic()
    assert pulled(a, "b")
    assert time.monotonic() - began > 0.02
    a.transport.pull(["b"], 0)
    a.wait_for_bytes("b", CHUNK)
    assert pulled(c, "b")
    for end in (a, b):
        matched, acted = remove_rule(end)
        assert matched == acted > 0
    assert same(a.wait(events.PullDone).pull.weights(), WEIGHTS)


def test_a_cut_link_is_silent_and_heals(net):
    a, b, c = three(net, b={"timeout_s": 0.5})
    first = a.announce(0)
    b.wait(events.MaskHeard)
    c.wait(events.MaskHeard)
    set_both(a, b, "drop")
    second = flipped(first, 3)
    a.announce(1, mask=second)
    b.transport.pull(["a"], 0)
    assert b.wait(events.PullLost).reason == "no byte for 0.5 s"
    assert c.wait(events.MaskHeard).announced == second
    assert b.heard_of((events.MaskHeard, events.Left)) == []
    assert pulled(c, "a", 1)
    assert all(remove_rule(end)[1] > 0 for end in (a, b))
    third = flipped(second, 4)
    a.announce(2, mask=third)
    b.wait(events.MaskHeard, announced=third)
    assert pulled(b, "a", 2)


@pytest.fixture
def soon_resent(monkeypatch):
    monkeypatch.setattr(transport, "_LOST_S", 0.1)


def connected_under_a_rule(net, **fields):
    a, b, c = (net.end(p, [q for q in "abc" if q != p]) for p in "abc")
    set_both(a, b, "drop", **fields)
    for end in (a, b, c):
        end.transport.connect({e.peer: e.endpoint for e in (a, b, c) if e is not end})
    for end, other in ((a, c), (b, c), (c, a), (c, b)):
        end.wait(events.Welcomed, neighbor=other.peer)
        end.wait(events.Joined, neighbor=other.peer)
    return a, b, c


@pytest.mark.usefixtures("soon_resent")
def test_who_was_cut_off_from_the_start_is_welcome_once_it_heals(net):
    a, b, _ = connected_under_a_rule(net)
    a.announce(0)
    assert a.wait(events.AnnounceDone) == events.AnnounceDone(0, ["c"], ["b"])
    for end in (a, b):
        assert end.heard_of((events.Welcomed, events.Joined)) == []
        remove_rule(end)
    for end, other in ((a, b), (b, a)):
        end.wait(events.Welcomed, neighbor=other.peer)
        end.wait(events.Joined, neighbor=other.peer)
    assert b.wait(events.MaskHeard).announced == mask_of(0)


@pytest.mark.usefixtures("soon_resent")
def test_a_hello_that_is_lost_is_said_again(net):
    a, b, _ = connected_under_a_rule(net, limit=1)
    for end, other in ((a, b), (b, a)):
        end.wait(events.Welcomed, neighbor=other.peer)
        end.wait(events.Joined, neighbor=other.peer)
        assert remove_rule(end)[1] == 1


# -- what is counted -----------------------------------------------------------------------


@pytest.mark.parametrize("action", ["drop", "duplicate", "corrupt", "hold", "delay"])
@WAYS
def test_both_ends_count_the_same_bytes_whatever_happens_between(net, way, action):
    a, b = net.pair(timeout_s=0.2)
    b.announce(0)
    a.wait(events.MaskHeard)
    delay = {"delay_ms": 5} if action == "delay" else {}
    at = set_rule(way, b, a, action, None, probability=0.5, **delay)
    for t in range(1, 9):
        b.announce(t, mask=other_mask(t))
        b.wait(events.AnnounceDone, round_index=t)
        how_it_ends(a, "b", t)
    assert remove_rule(at)[1] > 0
    until_here(b, a)
    until_here(a, b)
    b.announce(9)
    assert pulled(a, "b", 9)  # and what was sent before by the bulk connection is here
    for end in (a, b):
        end.transport.close()
    for one, other in ((a, b), (b, a)):
        assert one.by_connection("out") == other.by_connection("in")


def test_without_rules_nothing_is_looked_at(net, monkeypatch):
    a, b = net.pair()
    set_rule("out", a, b, "drop", limit=1)
    remove_rule(a)
    monkeypatch.setattr(a.messenger._message_faults, "decide", lambda *_: 1 / 0)
    sent = a.announce(0)
    assert b.wait(events.MaskHeard).announced == sent
    assert pulled(b, "a")
