from prisam_p2p.system.inbox import Inbox
from prisam_p2p.transport import events
from prisam_p2p.transport.metering import MOST_SENDERS, OTHERS, Turned


def told(inbox):
    return [inbox.get(0) for _ in range(len(inbox))]


def test_a_flood_is_one_event_that_knows_its_number():
    turned = Turned(inbox := Inbox())
    for i in range(1000):
        turned.add("b", "malformed", f"the {i}th")
    turned.add("b", "stranger", "")
    turned.add("c", "malformed", "")
    flood, *others = told(inbox)
    assert flood == events.TurnedAway("b", "malformed", "the 0th")
    assert turned.take(flood) == 1000
    assert [(e.sender, e.verdict) for e in others] == [("b", "stranger"), ("c", "malformed")]
    assert [turned.take(e) for e in others] == [1, 1]


def test_what_comes_after_the_event_was_taken_is_told_anew():
    turned = Turned(inbox := Inbox())
    for _ in range(3):
        turned.add("b", "malformed", "")
        (event,) = told(inbox)
        assert turned.take(event) == 1


def test_ever_other_names_are_others():
    turned = Turned(inbox := Inbox())
    for i in range(10 * MOST_SENDERS):
        turned.add(f"s{i}", "stranger", "")
    events_ = told(inbox)
    assert len(events_) == MOST_SENDERS + 1
    counts = {e.sender: turned.take(e) for e in events_}
    assert counts.pop(OTHERS) == 9 * MOST_SENDERS
    assert set(counts.values()) == {1}
